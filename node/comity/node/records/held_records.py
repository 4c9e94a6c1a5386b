"""Records as this node holds them: the bytes that were signed, and the institute that brought them.

Invariant: envelope and disclosures are handed out as they were stored (invariant 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from comity.node.database.tables import PartRow, RecordRow
from comity.node.records.withdrawal import withdrawal_notices
from comity.record.envelope import Envelope
from comity.record.record import Record


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record, and what this node knows of it beside its content.

    ``origin`` is the institute that brought it. ``received_time`` is when it was stored, in Unix
    milliseconds. ``superseded_by`` are the ids of the issuer's records that supersede it, oldest
    first. ``withdrawal`` is the notice by which its issuer withdrew it, None if it stands.
    """

    record_seq: int
    record: Record
    origin: str
    received_time: int
    superseded_by: tuple[str, ...]
    withdrawal: Envelope | None


def held_records(session: Session, rows: Sequence[RecordRow]) -> list[HeldRecord]:
    """Return the records of some rows, in the order of the rows; makes three queries for all."""
    disclosures = _disclosures(session, [row.record_seq for row in rows])
    later = _later_versions(session, [row.record_id for row in rows if row.superseded])

    notices = withdrawal_notices(session, rows)

    return [
        HeldRecord(
            record_seq=row.record_seq,
            record=Record(row.envelope, tuple(disclosures[row.record_seq])),
            origin=row.origin,
            received_time=row.received_time,
            superseded_by=tuple(later.get((row.record_id, row.issuer), ())),
            withdrawal=notices.get(row.record_id),
        )
        for row in rows
    ]


def _disclosures(session: Session, record_seqs: Sequence[int]) -> dict[int, list[bytes]]:
    """Return the disclosures held of some records, by ``record_seq``, in section order."""
    query = (
        select(PartRow.record_seq, PartRow.disclosure)
        .where(PartRow.record_seq.in_(record_seqs), PartRow.disclosure.is_not(None))
        .order_by(PartRow.record_seq, PartRow.section)
    )

    found: dict[int, list[bytes]] = {seq: [] for seq in record_seqs}
    for seq, disclosure in session.exec(query):
        found[seq].append(disclosure or b"")
    return found


def _later_versions(
    session: Session, record_ids: Sequence[str]
) -> dict[tuple[str | None, str], list[str]]:
    """Return the ids of later versions, by the id that they supersede and their issuer.

    The issuer is part of the key because only a record's own issuer can supersede it.
    """
    query = (
        select(RecordRow.supersedes, RecordRow.issuer, RecordRow.record_id)
        .where(RecordRow.supersedes.in_(record_ids))
        .order_by(RecordRow.record_seq)
    )

    found: dict[tuple[str | None, str], list[str]] = {}
    for superseded, issuer, record_id in session.exec(query):
        found.setdefault((superseded, issuer), []).append(record_id)
    return found
