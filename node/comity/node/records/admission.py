"""Admission: the only way into the store, for records that passed examination.

In one transaction: (10) a record that makes too many handling classes is refused, (11) what is held
already is left alone, (12) the rest is stored and, for own records, logged.

Invariants (ARCHITECTURE): every stored record verifies and is stored once (3, 5); an own record is
in the log whenever it is in the store (4); what is refused changes nothing (10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from comity.node.database.clock import Clock
from comity.node.database.store import WriteSession
from comity.node.database.tables import PartRow, RecordRow
from comity.node.policy.handling_classes import ClassIndex
from comity.node.records.examination import Arrival
from comity.node.records.quarantine import Refusal
from comity.node.records.writer import RecordWriter
from comity.record.limits import MAX_CLASSES


@dataclass(frozen=True, slots=True)
class Admitted:
    """The outcome of an admission: ``new`` of the ``arrivals`` are records not held before."""

    arrivals: list[Arrival]
    refusals: list[Refusal]
    new: int


class Intake:
    """Admits records to the store of one institute."""

    def __init__(self, institute: str, clock: Clock) -> None:
        self.institute = institute
        self._clock = clock
        self._index = ClassIndex()

    def admit(self, session: WriteSession, arrivals: Sequence[Arrival]) -> Admitted:
        """Store the parts of ``arrivals`` that are not held, but for those that are refused.

        A record is refused if it would give its issuer more than MAX_CLASSES handling classes.
        """
        # (10)
        admitted, refusals = self._part_crowded(session, arrivals)

        # (11) a record's sections may come later than its header, or by another way
        held = _held(session, admitted)
        keys = (part.key for arrival in admitted for part in arrival.parts.values())
        writer = RecordWriter(session, self._index.resolve(session, keys), self._clock())

        # (12)
        new = 0
        for arrival in admitted:
            record_id = arrival.opened.record_id
            if record_id not in held:
                new += 1
                own = arrival.opened.statement.issuer.institute == self.institute
                held[record_id] = (writer.add_record(arrival, own=own), set())
            record_seq, sections = held[record_id]
            writer.add_parts(arrival, record_seq, set(arrival.parts) - sections)
            sections.update(arrival.parts)

        writer.write()
        return Admitted(admitted, refusals, new)

    def _part_crowded(
        self, session: Session, arrivals: Sequence[Arrival]
    ) -> tuple[list[Arrival], list[Refusal]]:
        keys = [[part.key for part in arrival.parts.values()] for arrival in arrivals]
        admitted: list[Arrival] = []
        refusals: list[Refusal] = []
        for arrival, full in zip(arrivals, self._index.crowded(session, keys), strict=True):
            if full:
                # the count that would be reached is of no use to a reader; the remedy is
                error = MAX_CLASSES.exceeded(MAX_CLASSES + 1, "predicate.tags")
                refusals.append(Refusal(arrival.opened.record, error))
            else:
                admitted.append(arrival)
        return admitted, refusals


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
