"""Withdrawal: a withdrawn record is given to nobody any more, and no longer counts.

A notice is a record of kind ``withdrawal`` that names other records by the relation ``withdraws``.
It holds only for records of its own issuer; either may arrive first. The parts of a withdrawn
record move to the handling class that differs only by ``withdrawn``, which the baseline denies to
everyone.

Invariants: a withdrawn record stays withdrawn, as do parts of it that arrive later; all changes are
made in the transaction that stores the notice or the part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from sqlalchemy import exists, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, select

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import HandlingClassRow, PartRow, RecordRow, WithdrawnRow
from comity.node.policy.handling_classes import ClassIndex, ClassKey
from comity.policies.facts import PartFacts
from comity.record.envelope import Envelope


def mark_withdrawn(session: WriteSession, record_ids: Collection[str]) -> set[tuple[str, int]]:
    """Mark those of the records that a notice withdraws, and move their parts to other classes.

    Returns issuer and ``subject_seq`` of the records that were not marked before.
    """
    notice = aliased(RecordRow)
    named = exists().where(
        WithdrawnRow.record_id == RecordRow.record_id,
        WithdrawnRow.notice_seq == notice.record_seq,
        notice.issuer == RecordRow.issuer,
    )
    query = select(RecordRow).where(RecordRow.record_id.in_(record_ids), named)
    found = list(session.exec(query))
    if not found:
        return set()

    # also of records that were marked before: some of their parts may be new
    _move_parts(session, [row.record_seq for row in found])

    fresh = {(row.issuer, row.subject_seq) for row in found if not row.withdrawn}
    for row in found:
        row.withdrawn = True
        session.add(row)
    session.flush()
    return fresh


def withdrawal_notices(session: Session, rows: Sequence[RecordRow]) -> dict[str, Envelope]:
    """Return by record id the first notice by which its issuer withdrew each of some records."""
    withdrawn = {row.record_id: row.issuer for row in rows if row.withdrawn}
    if not withdrawn:
        return {}

    query = (
        select(WithdrawnRow.record_id, RecordRow)
        .join(RecordRow, RecordRow.record_seq == WithdrawnRow.notice_seq)
        .where(WithdrawnRow.record_id.in_(withdrawn))
        .order_by(RecordRow.record_seq)
    )
    found: dict[str, Envelope] = {}
    for record_id, notice in session.exec(query):
        if notice.issuer == withdrawn[record_id]:
            found.setdefault(record_id, notice.envelope)
    return found


def _move_parts(session: WriteSession, records: Collection[int]) -> None:
    """Move all parts of some records, by ``record_seq``, to the classes of withdrawn parts."""
    header = aliased(HandlingClassRow)
    query = (
        select(PartRow.part_id, HandlingClassRow.facts, header.facts)
        .join(HandlingClassRow, HandlingClassRow.class_id == PartRow.class_id)
        .outerjoin(header, header.class_id == HandlingClassRow.header_class_id)
        .where(PartRow.record_seq.in_(records))
    )

    moved: dict[ClassKey, list[int]] = defaultdict(list)
    for part_id, facts, of_header in session.exec(query):
        key = _withdrawn(facts), _withdrawn(of_header) if of_header else None
        moved[key].append(part_id)

    # a new index, since what it would remember is rarely needed again
    for key, class_id in ClassIndex().resolve(session, moved).items():
        change = update(PartRow).where(PartRow.part_id.in_(moved[key])).values(class_id=class_id)
        session.connection().execute(change)


def _withdrawn(facts: str) -> PartFacts:
    return replace(PartFacts.from_json(facts.encode()), withdrawn=True)
