"""Withdrawal: what its issuer has withdrawn is given to nobody any more, and counts no more.

A notice is a record of kind ``withdrawal`` that names others by the relation ``withdraws``; it
holds for records of its own issuer. Either may arrive first. The parts of a withdrawn record change
to the handling class that differs in nothing but ``withdrawn``, which the baseline keeps from
everyone. Invariants: a record that was withdrawn stays so, and so do parts of it that arrive later;
all of it happens in the transaction that stores the notice or the part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import exists, update
from sqlalchemy.orm import aliased
from sqlmodel import select

from comity.node.database.store import WriteSession
from comity.node.database.tables import HandlingClassRow, PartRow, RecordRow, WithdrawnRow
from comity.node.policy.handling_classes import ClassIndex, ClassKey
from comity.policies.facts import PartFacts


def mark_withdrawn(session: WriteSession, record_ids: Collection[str]) -> set[tuple[str, int]]:
    """Mark the records that a notice withdraws, and move their parts to the withdrawn class.

    Returns issuer and ``subject_seq`` of those that were not marked before.
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
    _move_parts(session, [row.record_seq for row in found])
    fresh = {(row.issuer, row.subject_seq) for row in found if not row.withdrawn}
    for row in found:
        row.withdrawn = True
        session.add(row)
    session.flush()
    return fresh


def _move_parts(session: WriteSession, records: Collection[int]) -> None:
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
    for key, class_id in ClassIndex().resolve(session, moved).items():
        change = update(PartRow).where(PartRow.part_id.in_(moved[key])).values(class_id=class_id)
        session.connection().execute(change)


def _withdrawn(facts: str) -> PartFacts:
    return replace(PartFacts.from_json(facts.encode()), withdrawn=True)
