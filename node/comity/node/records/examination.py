"""Examination: every check on a record that needs no database, cheapest refusal first.

Every record enters this way, whichever institute brings it; ``admission`` follows. The steps:

(1) sizes,
(2) envelope and signature,
(3) the key is trusted for the issuer,
(4) statement,
(5) each disclosure against its digest,
(6) content; ``open_record`` makes the steps so far,
    none of its names holds a control character,
(7) issue time,
(8) a record signed with a revoked key was logged before the revocation,
(9) handling lets this institute have the record, by the way that it came.

Invariant: a refused record changes nothing (invariant 10).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from comity.node.database.clock import Clock, to_datetime
from comity.node.database.tables import HEADER
from comity.node.policy.facts import header_facts, section_facts
from comity.node.policy.handling_classes import ClassKey
from comity.policies.facts import PartFacts
from comity.record.bundle import Keyring
from comity.record.content import domains_and_severity
from comity.record.errors import BadDisclosure, NotReleasable, UnderEmbargo
from comity.record.handling import Handling
from comity.record.keys import RecordKey
from comity.record.limits import MAX_CLOCK_SKEW_SECONDS
from comity.record.models import check_lines
from comity.record.record import OpenedRecord, Record, check_issue_time, open_record
from comity.record.revocation import check_revocation
from comity.record.times import format_time
from comity.record.tlog_proof import TlogProof


@dataclass(frozen=True, slots=True)
class DescribedPart:
    """What policy may know of a part, and the key of the handling class that follows from it."""

    facts: PartFacts
    key: ClassKey


@dataclass(frozen=True, slots=True)
class ExaminedRecord:
    """A record that passed ``examine``, with all that is needed to store it."""

    opened: OpenedRecord
    key: RecordKey
    origin: str
    parts: dict[int, DescribedPart]
    """The header, by HEADER, and the sections that came disclosed, by their index."""
    proof: TlogProof | None
    """Proof that it was logged before its key was revoked; None if the key is not revoked."""


class Examiner:
    """Examines records for one institute."""

    def __init__(self, institute: str, clock: Clock) -> None:
        self.institute = institute
        self._clock = clock

    def examine(self, record: Record, origin: str, keyring: Keyring) -> ExaminedRecord:
        """Make every check that needs no database.

        ``origin`` is the institute that brings the record: this one itself, or a peer.

        Raises:
            InvalidInput: of the class that names the reason; see ``open_record``.
            MalformedStatement: a name or line holds a control character.
            IssuedInFuture: the issue time is more than MAX_CLOCK_SKEW_SECONDS ahead of the clock.
            RevokedKey: the key is revoked, and no proof shows that the record was logged before.
            NotReleasable: handling does not let this institute have it, or not from ``origin``.
            UnderEmbargo: its embargo ends more than MAX_CLOCK_SKEW_SECONDS ahead of the clock.
            BadDisclosure: an own record comes without the disclosure of a section.
        """
        # (1) to (6) all that the record itself and the issuer's bundle say
        opened = open_record(record, keyring.find)
        _check_names(opened)

        # (7) the issuer's clock may be ahead of ours, by little
        now = to_datetime(self._clock())
        check_issue_time(opened.statement, now)

        # (8) revocation is by index in the issuer's log, not by time
        proof = check_revocation(record, keyring.bundle(opened.statement.issuer.institute))

        # (9) handling, enforced here as well as by the sender
        if origin == self.institute:
            _check_own(opened, origin)
        else:
            _check_releasable(opened, origin, self.institute, now)

        key = keyring.find(record.envelope.keyid)[1]
        return ExaminedRecord(opened, key, origin, self._describe(opened), proof)

    def _describe(self, opened: OpenedRecord) -> dict[int, DescribedPart]:
        """Return what policy may know of the header and of each disclosed section."""
        header = header_facts(opened, self.institute)
        parts = {HEADER: DescribedPart(header, (header, None))}
        for index in opened.disclosures:
            facts = section_facts(opened, index, self.institute)
            parts[index] = DescribedPart(facts, (facts, header))
        return parts


def _check_names(opened: OpenedRecord) -> None:
    """Check what is shown on one line: the header's names, and those that sections reveal."""
    check_lines(opened.statement.to_value())
    for index, disclosure in opened.disclosures.items():
        field = f"predicate.sections[{index}]"
        check_lines(disclosure.name, f"{field}.name")
        check_lines(sorted(domains_and_severity(disclosure.value)[0]), f"{field}.domains")


def _check_own(opened: OpenedRecord, institute: str) -> None:
    """Check that a record is this institute's own and complete."""
    issuer = opened.statement.issuer.institute
    if issuer != institute:
        message = f"expected a record that {institute} issued, got one of {issuer}"
        raise NotReleasable(message, field="predicate.issuer")

    # its issuer is the only source of what it withholds from others
    for index, section in enumerate(opened.statement.predicate.sections):
        if index not in opened.disclosures:
            message = f"expected the disclosure of section {section.name or index}, got none"
            raise BadDisclosure(message, field=f"predicate.sections[{index}]")


def _check_releasable(opened: OpenedRecord, origin: str, institute: str, now: datetime) -> None:
    """Check that a peer may have passed on the header and each section that came."""
    issuer = opened.statement.issuer.institute
    if issuer == institute:
        message = f"expected records of other institutes, got one of {institute} itself"
        raise NotReleasable(message, field="predicate.issuer")

    parts = [("predicate.handling", opened.statement.predicate.handling)]
    for index in opened.disclosures:
        field = f"predicate.sections[{index}].annotations.handling"
        parts.append((field, opened.statement.section_handling(index)))

    for field, handling in parts:
        _check_handling(handling, field, institute, now)
        if origin != issuer and not handling.onward:
            message = f"expected it from {issuer} itself (onward is false), got it from {origin}"
            raise NotReleasable(message, field=f"{field}.onward")


def _check_handling(handling: Handling, field: str, institute: str, now: datetime) -> None:
    """Check that an institute is among those that handling names, and that its embargo is over."""
    if not handling.names(institute):
        message = f"expected {institute} among the institutes to which it is releasable"
        raise NotReleasable(message, field=f"{field}.releasableTo")
    skew = timedelta(seconds=MAX_CLOCK_SKEW_SECONDS)
    if handling.embargo and handling.embargo > now + skew:
        message = f"expected it after its embargo of {format_time(handling.embargo)}"
        message += f", got it at {format_time(now)} by this clock"
        raise UnderEmbargo(message, time=handling.embargo - skew, field=f"{field}.embargo")
