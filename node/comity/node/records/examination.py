"""Examination: every check on a record that needs no database, cheapest refusal first.

It is the first half of intake, the one door through which every record enters, whoever brings it;
``admission`` is the second. The steps:

(1) sizes, (2) envelope and signature, (3) the issuer's key is trusted for that issuer,
(4) statement, (5) each disclosure against its digest, (6) content: ``open_record``;
(7) issue time; (8) a record of a revoked key was logged before; (9) handling admits this institute
and the way the record came.

Invariant: what is refused changes nothing (ARCHITECTURE, invariant 10).
"""

from __future__ import annotations

from dataclasses import dataclass

from comity.node.database.clock import Clock, to_datetime
from comity.node.database.tables import HEADER
from comity.node.policy.facts import header_facts, section_facts
from comity.node.policy.handling_classes import ClassKey
from comity.policies.facts import PartFacts
from comity.record.bundle import Keyring
from comity.record.errors import BadDisclosure, NotReleasable
from comity.record.handling import Handling
from comity.record.keys import RecordKey
from comity.record.limits import MAX_CLOCK_SKEW_SECONDS
from comity.record.record import OpenedRecord, Record, check_issue_time, open_record
from comity.record.revocation import check_revocation
from comity.record.tlog_proof import TlogProof


@dataclass(frozen=True, slots=True)
class DescribedPart:
    """What policy may know of a part, and the class that this makes it a member of."""

    facts: PartFacts
    key: ClassKey


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that passed ``examine``, with what storing it needs."""

    opened: OpenedRecord
    key: RecordKey
    origin: str
    parts: dict[int, DescribedPart]
    """The parts that came, by section index; HEADER is the header."""
    proof: TlogProof | None
    """That it was logged before its key was revoked; None where the key is not."""


class Examiner:
    """Examines records for one institute."""

    def __init__(self, institute: str, clock: Clock) -> None:
        self.institute = institute
        self._clock = clock

    def examine(self, record: Record, origin: str, keyring: Keyring) -> Arrival:
        """Make every check that needs no database. ``origin`` is the institute that brings it.

        Raises:
            InvalidInput: of the class that names the reason; see ``open_record``.
            IssuedInFuture: issued ahead of the clock.
            RevokedKey: of a revoked key, and not shown to be logged before.
            NotReleasable: handling does not let this institute have it, or not from ``origin``.
        """
        # (1) to (6)
        opened = open_record(record, keyring.find)

        # (7)
        now = to_datetime(self._clock())
        check_issue_time(opened.statement, now)

        # (8)
        proof = check_revocation(record, keyring.bundle(opened.statement.issuer.institute))

        # (9)
        if origin == self.institute:
            _check_own(opened, origin)
        else:
            _check_releasable(opened, origin, self.institute, now.timestamp())

        key = keyring.find(record.envelope.keyid)[1]
        return Arrival(opened, key, origin, self._describe(opened), proof)

    def _describe(self, opened: OpenedRecord) -> dict[int, DescribedPart]:
        header = header_facts(opened, self.institute)
        parts = {HEADER: DescribedPart(header, (header, None))}
        for index in opened.disclosures:
            facts = section_facts(opened, index, self.institute)
            parts[index] = DescribedPart(facts, (facts, header))
        return parts


def _check_own(opened: OpenedRecord, institute: str) -> None:
    issuer = opened.statement.issuer.institute
    if issuer != institute:
        message = f"expected a record that {institute} issued, got one of {issuer}"
        raise NotReleasable(message, field="predicate.issuer")
    for index, section in enumerate(opened.statement.predicate.sections):
        if index not in opened.disclosures:
            message = f"expected the disclosure of section {section.name or index}, got none"
            raise BadDisclosure(message, field=f"predicate.sections[{index}]")


def _check_releasable(opened: OpenedRecord, origin: str, institute: str, now: float) -> None:
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


def _check_handling(handling: Handling, field: str, institute: str, now: float) -> None:
    if not handling.names(institute):
        message = f"expected {institute} among those it is releasable to"
        raise NotReleasable(message, field=f"{field}.releasableTo")
    if handling.embargo and handling.embargo.timestamp() > now + MAX_CLOCK_SKEW_SECONDS:
        message = f"expected it after its embargo of {handling.embargo:%Y-%m-%dT%H:%M:%SZ}"
        raise NotReleasable(message, field=f"{field}.embargo")
