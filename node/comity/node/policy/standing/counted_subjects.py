"""Counting: the subjects that count towards standing, read from the ledger itself.

These queries are the rule of ``rule`` in SQL; nothing else decides what counts. Each function takes
the subjects that are asked for, or None for all, and returns what counts by kind and subject.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    case,
    func,
    select,
)
from sqlalchemy.orm import aliased
from sqlmodel import Session

from comity.node.database.owner import OWN_INSTITUTE
from comity.node.database.tables import (
    HEADER,
    REFUSED,
    PartRow,
    PeerRow,
    QuarantineRow,
    RecordRow,
    ReleaseRow,
)
from comity.node.policy.standing.rule import SUBSTANCE_CHARS
from comity.record.errors import UnknownKey

Side = Literal["received", "given", "rejected"]
SubjectKey = tuple[str, int]
"""Kind and ``subject_seq``; for a rejected record, kind and ``rejected_seq``."""

Subjects = Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Counted:
    """The time from which a subject counts, in Unix milliseconds.

    ``offer`` is the number of the offer that made a given subject count; 0 on the other sides.
    """

    time: int
    offer: int = 0


def rejected_seq(record_id: str) -> int:
    """Return the number that stands for a rejected record in place of a ``subject_seq``.

    It is the first 60 bits of the record's id. If two records share them, one is counted; nobody
    gains by that.
    """
    return int(record_id[:15], 16)


def received_by(
    session: Session, *which: ColumnElement[bool]
) -> dict[str, dict[SubjectKey, Counted]]:
    """Return, by issuer, what counts as received from it (rule 2).

    ``which`` are conditions for ``RecordRow``; only records that meet them are looked at.
    """
    columns = (
        RecordRow.issuer,
        RecordRow.kind,
        RecordRow.subject_seq,
        RecordRow.received_time,
    )
    query = (
        select(*columns)
        .join(PartRow, PartRow.record_seq == RecordRow.record_seq)
        # current (rule 3)
        .where(*which, ~RecordRow.superseded, _counts_if_given())
        .group_by(RecordRow.record_seq, *columns)
        # of substance (rule 4)
        .having(func.sum(PartRow.content) >= SUBSTANCE_CHARS)
    )

    # of several records about a subject, the earliest counts
    found: dict[str, dict[SubjectKey, Counted]] = {}
    for issuer, kind, subject, time in session.connection().execute(query):
        of_issuer = found.setdefault(issuer, {})
        known = of_issuer.get((kind, subject))
        if known is None or time < known.time:
            of_issuer[kind, subject] = Counted(time)
    return found


def releases_reaching_substance(released: Subquery) -> Select[Any]:
    """Return the releases by which own records reached substance, one row for each such record.

    ``released`` is what ``content_in_offers`` or ``_content_about`` return; no other release is
    looked at. The columns are kind, subject_seq, offer_number and release_time.
    """
    total = func.sum(released.c.content).over(
        partition_by=released.c.record_seq, order_by=released.c.offer_number
    )
    run = select(released, total.label("reached")).where(released.c.content > 0).subquery()
    before = run.c.reached - run.c.content
    crosses = and_(run.c.reached >= SUBSTANCE_CHARS, before < SUBSTANCE_CHARS)

    query = select(
        RecordRow.kind, RecordRow.subject_seq, run.c.offer_number, run.c.release_time
    ).join(run, run.c.record_seq == RecordRow.record_seq)
    return query.where(crosses, RecordRow.issuer == OWN_INSTITUTE, _counts_if_given())


def content_in_offers(peer: str, first: int, last: int) -> Subquery:
    """Return what a peer was given in offers after ``first`` up to ``last``."""
    query = select(*_content_columns()).join(PartRow, PartRow.part_id == ReleaseRow.part_id)
    return query.where(*offered_between(peer, first, last)).subquery()


def offered_between(
    peer: str, first: int, last: int
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for the releases in a peer's offers after ``first`` up to ``last``."""
    return ReleaseRow.peer == peer, ReleaseRow.offer_number.between(first + 1, last)


def _content_about(peer: str, subjects: Sequence[int], last: int) -> Subquery:
    """Return what a peer was given of records about some subjects, in offers up to ``last``."""
    given = and_(ReleaseRow.part_id == PartRow.part_id, ReleaseRow.peer == peer)
    records = select(RecordRow.record_seq).where(RecordRow.subject_seq.in_(subjects))

    # an outer join, and no comparison that undoes it, so that SQLite begins at the few parts and
    # not at all that the peer was given
    query = select(*_content_columns()).select_from(PartRow).outerjoin(ReleaseRow, given)
    offered = func.coalesce(ReleaseRow.offer_number, last + 1) <= last
    return query.where(PartRow.record_seq.in_(records), offered).subquery()


def _content_columns() -> tuple[Any, ...]:
    return (
        PartRow.record_seq,
        ReleaseRow.offer_number,
        ReleaseRow.release_time,
        _content_of_release().label("content"),
    )


def _content_of_release() -> ColumnElement[int]:
    """Return the content that a ``ReleaseRow`` of a ``PartRow`` gives or promises (rule 5).

    A header counts with the content of the sections that are under embargo at its release; they
    follow it by themselves. Such a section then counts with none.
    """
    section, header, given = aliased(PartRow), aliased(PartRow), aliased(ReleaseRow)
    promised = select(func.sum(section.content)).where(
        section.record_seq == PartRow.record_seq,
        section.embargo_time > ReleaseRow.release_time,
    )
    header_time = select(given.release_time).where(
        header.record_seq == PartRow.record_seq,
        header.section == HEADER,
        given.part_id == header.part_id,
        given.peer == ReleaseRow.peer,
    )

    return case(
        (PartRow.section == HEADER, func.coalesce(promised.scalar_subquery(), 0)),
        # asked in this order, since few parts have an embargo
        (PartRow.embargo_time.is_(None), PartRow.content),
        (PartRow.embargo_time > header_time.scalar_subquery(), 0),
        else_=PartRow.content,
    )


def _counts_if_given() -> ColumnElement[bool]:
    """Return the condition that a record counts once it was given, even if superseded since."""
    return ~RecordRow.withdrawn


def _received(session: Session, peer: str, subjects: Subjects) -> Mapping[SubjectKey, Counted]:
    which = [RecordRow.issuer == peer]
    if subjects is not None:
        which.append(RecordRow.subject_seq.in_(subjects))
    return received_by(session, *which).get(peer, {})


def _given(session: Session, peer: str, subjects: Subjects) -> Mapping[SubjectKey, Counted]:
    row = session.get(PeerRow, peer)
    last = 0 if row is None else row.counted
    if subjects is None:
        content = content_in_offers(peer, 0, last)
    else:
        content = _content_about(peer, subjects, last)

    # of several records about a subject, the one that was offered first counts
    found: dict[SubjectKey, Counted] = {}
    query = releases_reaching_substance(content)
    for kind, subject, offer, time in session.connection().execute(query):
        known = found.get((kind, subject))
        if known is None or offer < known.offer:
            found[kind, subject] = Counted(time, offer)
    return found


def _rejected(session: Session, peer: str, subjects: Subjects) -> Mapping[SubjectKey, Counted]:
    table = QuarantineRow
    query = select(table.kind, table.record_id, table.quarantine_time).where(
        # a record that waits, or whose issuer is not pinned here, is not rejected (rule 6)
        table.peer == peer,
        table.state == REFUSED,
        table.reason != UnknownKey.reason,
    )
    rows = session.connection().execute(query)
    found = {(kind, rejected_seq(record_id)): Counted(time) for kind, record_id, time in rows}

    if subjects is None:
        return found
    wanted = set(subjects)
    return {key: counted for key, counted in found.items() if key[1] in wanted}


COUNTED_BY_SIDE: Final[
    Mapping[Side, Callable[[Session, str, Subjects], Mapping[SubjectKey, Counted]]]
] = {
    "received": _received,
    "given": _given,
    "rejected": _rejected,
}
"""What counts on each side towards standing with a peer."""
