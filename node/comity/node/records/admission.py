"""Intake: the one door through which every record enters, whoever brings it.

``examine``, without the database, cheapest refusal first:
(1) sizes, (2) envelope and signature, (3) issuer's key trusted for that issuer, (4) statement,
(5) each disclosure against its digest, (6) content, (7) issue time, (8) of a revoked key, that it
was logged before, (9) handling admits this institute and the way the record came.
``admit``, in one transaction: (10) duplicate check, (11) store and, for own records, log.

Invariants (DESIGN section 10): every stored record verifies and is stored once (3, 5); an own
record is in the log whenever it is in the store (4); what is refused changes nothing (10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from comity.node.database.clock import Clock, to_datetime
from comity.node.database.store import WriteSession
from comity.node.database.tables import HEADER, PartRow, RecordRow
from comity.node.policy.facts import header_facts, section_facts
from comity.node.policy.handling_classes import ClassIndex, ClassKey
from comity.node.records.writer import Shelf
from comity.policies.facts import PartFacts
from comity.record.bundle import Keyring
from comity.record.errors import BadDisclosure, LimitExceeded, NotReleasable
from comity.record.handling import Handling
from comity.record.keys import RecordKey
from comity.record.limits import MAX_CLASSES, MAX_CLOCK_SKEW_SECONDS
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


class Intake:
    """The door of one institute's node."""

    def __init__(self, institute: str, clock: Clock) -> None:
        self.institute = institute
        self._clock = clock
        self._index = ClassIndex()

    def examine(self, record: Record, origin: str, keyring: Keyring) -> Arrival:
        """Make every check that needs no database. ``origin`` is the institute that brings it.

        Raises:
            InvalidInput: of the class that names the reason; see ``open_record``.
            IssuedInFuture: issued ahead of the clock.
            RevokedKey: of a revoked key, and not shown to be logged before.
            NotReleasable: handling does not let this institute have it, or not from ``origin``.
        """
        opened = open_record(record, keyring.find)
        now = to_datetime(self._clock())
        check_issue_time(opened.statement, now)
        proof = check_revocation(record, keyring.bundle(opened.statement.issuer.institute))
        if origin == self.institute:
            _check_own(opened, origin)
        else:
            _check_releasable(opened, origin, self.institute, now.timestamp())
        key = keyring.find(record.envelope.keyid)[1]
        return Arrival(opened, key, origin, self._describe(opened), proof)

    def crowded(self, session: Session, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Return those of ``arrivals`` whose issuer would have too many handling classes."""
        keys = [[part.key for part in arrival.parts.values()] for arrival in arrivals]
        full = self._index.crowded(session, keys)
        return [arrival for arrival, is_full in zip(arrivals, full, strict=True) if is_full]

    def admit(self, session: WriteSession, arrivals: Sequence[Arrival]) -> int:
        """Store what is new among ``arrivals``; return how many records were not held before.

        Raises:
            LimitExceeded: one of them is ``crowded``; nothing is stored.
        """
        if self.crowded(session, arrivals):
            raise too_many_classes()
        held = _held(session, arrivals)
        keys = (part.key for arrival in arrivals for part in arrival.parts.values())
        shelf = Shelf(session, self._index.resolve(session, keys), self._clock())
        new = 0
        for arrival in arrivals:
            record_id = arrival.opened.record_id
            if record_id not in held:
                new += 1
                own = arrival.opened.statement.issuer.institute == self.institute
                held[record_id] = (shelf.add_record(arrival, own=own), set())
            record_seq, sections = held[record_id]
            shelf.add_parts(arrival, record_seq, set(arrival.parts) - sections)
            sections.update(arrival.parts)
        shelf.write()
        return new

    def _describe(self, opened: OpenedRecord) -> dict[int, DescribedPart]:
        header = header_facts(opened, self.institute)
        parts = {HEADER: DescribedPart(header, (header, None))}
        for index in opened.disclosures:
            facts = section_facts(opened, index, self.institute)
            parts[index] = DescribedPart(facts, (facts, header))
        return parts


def too_many_classes() -> LimitExceeded:
    """Return the error about a record that is crowded."""
    # the count that would be reached is of no use to whoever reads this; the remedy is
    return MAX_CLASSES.exceeded(MAX_CLASSES + 1, "predicate.tags")


def _held(session: Session, arrivals: Sequence[Arrival]) -> dict[str, tuple[int, set[int]]]:
    ids = {arrival.opened.record_id for arrival in arrivals}
    query = (
        select(RecordRow.record_id, RecordRow.record_seq, PartRow.section)
        .join(PartRow, PartRow.record_seq == RecordRow.record_seq)
        .where(RecordRow.record_id.in_(ids))
    )
    held: dict[str, tuple[int, set[int]]] = {}
    for record_id, record_seq, section in session.exec(query):
        held.setdefault(record_id, (record_seq, set()))[1].add(section)
    return held


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
