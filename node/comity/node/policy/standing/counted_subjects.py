"""Counting: which subjects count towards standing, read from the ledger itself.

These queries are the rule of ``standing`` in SQL, and the only place where it is. Each takes the
subjects that are meant, or None for all of them, and returns what counts by kind and subject.
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
    PartRow,
    PeerRow,
    QuarantineRow,
    RecordRow,
    ReleaseRow,
)
from comity.node.policy.standing.rule import SUBSTANCE_CHARS
from comity.record.errors import UnknownKey

Side = Literal["received", "given", "rejected"]
Key = tuple[str, int]
"""Kind and ``subject_seq``; of what was rejected, kind and ``rejected_seq``."""

Subjects = Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Counted:
    """Since when a subject counts; of what was given, the offer that made it count, else 0."""

    time: int
    offer: int = 0


def rejected_seq(record_id: str) -> int:
    """Return what stands for a rejected record where others have their ``subject_seq``.

    The first 60 bits of its id: of two that share them one is counted, which serves nobody.
    """
    return int(record_id[:15], 16)


def is_current() -> ColumnElement[bool]:
    """Return the condition for a record that its issuer stands by."""
    return ~RecordRow.superseded & stays()


def stays() -> ColumnElement[bool]:
    """Return the condition for a record that counts as given, newer versions or not."""
    return ~RecordRow.withdrawn


def has_substance() -> ColumnElement[bool]:
    """Return the condition for a group of parts of one record that have substance together."""
    return func.sum(PartRow.content) >= SUBSTANCE_CHARS


def crossings(released: Subquery) -> Select[Any]:
    """Return the releases, of those alone that are meant, by which own records got substance.

    ``released`` is what ``in_offers`` or ``_of_records`` return. Columns: kind, subject_seq,
    offer_number, release_time; one row for each such record.
    """
    total = func.sum(released.c.content).over(
        partition_by=released.c.record_seq, order_by=released.c.offer_number
    )
    run = select(released, total.label("reached")).where(released.c.content > 0).subquery()
    before = run.c.reached - run.c.content
    query = select(
        RecordRow.kind, RecordRow.subject_seq, run.c.offer_number, run.c.release_time
    ).join(run, run.c.record_seq == RecordRow.record_seq)
    crosses = and_(run.c.reached >= SUBSTANCE_CHARS, before < SUBSTANCE_CHARS)
    return query.where(crosses, RecordRow.issuer == OWN_INSTITUTE, stays())


def in_offers(peer: str, first: int, last: int) -> Subquery:
    """Return what a peer was given in offers after ``first`` up to ``last``."""
    query = select(*_released()).join(PartRow, PartRow.part_id == ReleaseRow.part_id)
    return query.where(*offers(peer, first, last)).subquery()


def _of_records(peer: str, subjects: Sequence[int], last: int) -> Subquery:
    """Return what a peer was given of records about some subjects, in offers up to ``last``."""
    given = and_(ReleaseRow.part_id == PartRow.part_id, ReleaseRow.peer == peer)
    records = select(RecordRow.record_seq).where(RecordRow.subject_seq.in_(subjects))
    # outer, and not undone by a comparison, so that the few parts are the way in for SQLite, and
    # not all that the peer was given
    query = select(*_released()).select_from(PartRow).outerjoin(ReleaseRow, given)
    offered = func.coalesce(ReleaseRow.offer_number, last + 1) <= last
    return query.where(PartRow.record_seq.in_(records), offered).subquery()


def _released() -> tuple[Any, ...]:
    content = _content_of_release().label("content")
    return (
        PartRow.record_seq,
        ReleaseRow.offer_number,
        ReleaseRow.release_time,
        content,
    )


def _content_of_release() -> ColumnElement[int]:
    """Return the content that a ``ReleaseRow`` of a ``PartRow`` gives, or promises.

    With a header it is that of the sections that are under embargo then, which follow it for
    nothing; with such a section, none.
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


def offers(peer: str, first: int, last: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for the releases in a peer's offers after ``first`` up to ``last``."""
    return ReleaseRow.peer == peer, ReleaseRow.offer_number.between(first + 1, last)


def received_by(session: Session, *which: ColumnElement[bool]) -> dict[str, dict[Key, Counted]]:
    """Return by issuer what counts as received from it, by those records alone that are meant."""
    columns = (
        RecordRow.issuer,
        RecordRow.kind,
        RecordRow.subject_seq,
        RecordRow.received_time,
    )
    query = (
        select(*columns)
        .join(PartRow, PartRow.record_seq == RecordRow.record_seq)
        .where(*which, is_current())
        .group_by(RecordRow.record_seq, *columns)
        .having(has_substance())
    )
    found: dict[str, dict[Key, Counted]] = {}
    for issuer, kind, subject, time in session.connection().execute(query):
        of_issuer = found.setdefault(issuer, {})
        known = of_issuer.get((kind, subject))
        if known is None or time < known.time:
            of_issuer[kind, subject] = Counted(time)
    return found


def _received(session: Session, peer: str, subjects: Subjects) -> Mapping[Key, Counted]:
    which = [RecordRow.issuer == peer]
    if subjects is not None:
        which.append(RecordRow.subject_seq.in_(subjects))
    return received_by(session, *which).get(peer, {})


def _given(session: Session, peer: str, subjects: Subjects) -> Mapping[Key, Counted]:
    row = session.get(PeerRow, peer)
    last = 0 if row is None else row.counted
    meant = in_offers(peer, 0, last) if subjects is None else _of_records(peer, subjects, last)
    found: dict[Key, Counted] = {}
    for kind, subject, offer, time in session.connection().execute(crossings(meant)):
        known = found.get((kind, subject))
        if known is None or offer < known.offer:
            found[kind, subject] = Counted(time, offer)
    return found


def _rejected(session: Session, peer: str, subjects: Subjects) -> Mapping[Key, Counted]:
    table = QuarantineRow
    query = select(table.kind, table.record_id, table.quarantine_time).where(
        table.peer == peer, table.reason != UnknownKey.reason
    )
    rows = session.connection().execute(query)
    found = {(kind, rejected_seq(record_id)): Counted(time) for kind, record_id, time in rows}
    if subjects is None:
        return found
    wanted = set(subjects)
    return {key: counted for key, counted in found.items() if key[1] in wanted}


COUNT: Final[Mapping[Side, Callable[[Session, str, Subjects], Mapping[Key, Counted]]]] = {
    "received": _received,
    "given": _given,
    "rejected": _rejected,
}
"""What counts on each side towards standing with a peer."""
