"""Admission: the only way into the store, for records that passed examination.

It goes on with the steps of ``examination``, in one transaction:

(10) a record that makes too many handling classes is refused,
(11) parts that are held already are left alone,
(12) all other parts are stored, and own records are logged.

Invariants of ARCHITECTURE.md: a stored record verifies and is stored once (invariants 3 and 5); an
own record is in the log if it is in the store (invariant 4); a refused record changes nothing
(invariant 10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from comity.node.database.clock import Clock
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PartRow, RecordRow
from comity.node.policy.handling_classes import ClassIndex
from comity.node.records.examination import ExaminedRecord
from comity.node.records.quarantine import Refusal
from comity.node.records.writer import RecordWriter
from comity.record.limits import MAX_CLASSES


@dataclass(frozen=True, slots=True)
class AdmissionResult:
    """The outcome of an admission; ``new`` is how many of the ``records`` were not held before."""

    records: list[ExaminedRecord]
    refusals: list[Refusal]
    new: int


class Intake:
    """Admits records to the store of one institute."""

    def __init__(self, institute: str, clock: Clock) -> None:
        self.institute = institute
        self._clock = clock
        self._index = ClassIndex()

    def admit(self, session: WriteSession, records: Sequence[ExaminedRecord]) -> AdmissionResult:
        """Store the parts that are not held, of all records that are not refused.

        A record is refused if it would give its issuer more than MAX_CLASSES handling classes.
        """
        # (10) records that make too many handling classes
        admitted, refusals = self._refuse_over_limit(session, records)

        # (11) parts that are held: a record's sections may come later than its header
        held = _held_sections(session, admitted)
        keys = (part.key for record in admitted for part in record.parts.values())
        writer = RecordWriter(session, self._index.resolve(session, keys), self._clock())

        # (12) all other parts, and a leaf of the log for each own record
        new = 0
        for record in admitted:
            record_id = record.opened.record_id
            if record_id not in held:
                new += 1
                own = record.opened.statement.issuer.institute == self.institute
                held[record_id] = (writer.add_record(record, own=own), set())
            record_seq, sections = held[record_id]
            writer.add_parts(record, record_seq, set(record.parts) - sections)
            # one batch may bring a record twice, by different sections
            sections.update(record.parts)

        writer.write()
        return AdmissionResult(admitted, refusals, new)

    def _refuse_over_limit(
        self, session: Session, records: Sequence[ExaminedRecord]
    ) -> tuple[list[ExaminedRecord], list[Refusal]]:
        keys = [[part.key for part in record.parts.values()] for record in records]
        admitted: list[ExaminedRecord] = []
        refusals: list[Refusal] = []
        for record, is_over in zip(records, self._index.over_limit(session, keys), strict=True):
            if is_over:
                # the number that would be reached does not help a reader; the field does
                error = MAX_CLASSES.exceeded(MAX_CLASSES + 1, "predicate.tags")
                refusals.append(Refusal(record.opened.record, error))
            else:
                admitted.append(record)
        return admitted, refusals


def _held_sections(
    session: Session, records: Sequence[ExaminedRecord]
) -> dict[str, tuple[int, set[int]]]:
    """Return ``record_seq`` and the sections held of each record that is held, by its id."""
    ids = {record.opened.record_id for record in records}
    query = (
        select(RecordRow.record_id, RecordRow.record_seq, PartRow.section)
        .join(PartRow, PartRow.record_seq == RecordRow.record_seq)
        .where(RecordRow.record_id.in_(ids))
    )
    held: dict[str, tuple[int, set[int]]] = {}
    for record_id, record_seq, section in session.exec(query):
        held.setdefault(record_id, (record_seq, set()))[1].add(section)
    return held
