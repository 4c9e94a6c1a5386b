"""Counting: which subjects count towards standing, read from the ledger itself.

These queries are the rule of ``standing`` in SQL, and the only place where it is. Each takes the
subjects that are meant, or None for all of them, and returns what counts by kind and subject.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ScalarSelect,
    Select,
    Subquery,
    and_,
    func,
    literal,
    select,
)
from sqlmodel import Session, col

from comity.node.standing import SUBSTANCE_CHARS
from comity.node.tables import Gathered, NodeState, Part, Quarantine, RecordRow, Release
from comity.record.errors import UnknownKey

Side = Literal["received", "given", "rejected"]
Key = tuple[str, str]
"""Kind and subject; of what was rejected, kind and record id."""

Subjects = Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Counted:
    """Since when a subject counts; of what was given, the offer that made it count, else 0."""

    time: int
    offer: int = 0


def is_current() -> ColumnElement[bool]:
    """Return the condition for a record that its issuer stands by."""
    return ~col(RecordRow.superseded)


def has_substance() -> ColumnElement[bool]:
    """Return the condition for a group of parts of one record that have substance together."""
    return func.sum(Part.content) >= SUBSTANCE_CHARS


def crossings(*which: Any) -> Select[Any]:
    """Return the releases, among ``which``, by which own records reached SUBSTANCE_CHARS.

    Columns: kind, subject, offer_number, release_time; one row for each such record.
    """
    released = (
        select(
            col(RecordRow.kind),
            col(RecordRow.subject),
            col(Release.offer_number),
            col(Release.release_time),
            *_reached(col(Part.content), col(Part.record_seq), col(Release.offer_number)),
        )
        .join(Part, col(Part.part_id) == Release.part_id)
        .join(RecordRow, col(RecordRow.record_seq) == Part.record_seq)
        .where(
            *which, col(Part.content) > 0, col(RecordRow.issuer) == _own_institute(), is_current()
        )
        .subquery()
    )
    columns = released.c
    return select(columns.kind, columns.subject, columns.offer_number, columns.release_time).where(
        _crosses(released)
    )


def gathered_crossings(first: int) -> Select[Any]:
    """Return the same for what is ``Gathered``, in offers after ``first``, by itself.

    Columns: kind, subject, offer_number.
    """
    gathered = (
        select(
            col(Gathered.record_seq),
            col(Gathered.number),
            *_reached(col(Gathered.content), col(Gathered.record_seq), col(Gathered.number)),
        )
        .where(col(Gathered.content) > 0)
        .subquery()
    )
    offer = (literal(first, BigInteger) + gathered.c.number).label("offer_number")
    columns: tuple[Any, ...] = (col(RecordRow.kind), col(RecordRow.subject), offer)
    query = select(*columns).join(gathered, gathered.c.record_seq == RecordRow.record_seq)
    return query.where(_crosses(gathered), is_current())


def _reached(content: Any, record: Any, offer: Any) -> tuple[Any, Any]:
    total = func.sum(content).over(partition_by=record, order_by=offer)
    return content.label("content"), total.label("reached")


def _crosses(run: Subquery) -> ColumnElement[bool]:
    before = run.c.reached - run.c.content
    return and_(run.c.reached >= SUBSTANCE_CHARS, before < SUBSTANCE_CHARS)


def _own_institute() -> ScalarSelect[str]:
    return select(col(NodeState.institute)).scalar_subquery()


def _received(session: Session, peer: str, subjects: Subjects) -> Mapping[Key, Counted]:
    columns = (col(RecordRow.kind), col(RecordRow.subject), col(RecordRow.received_time))
    query = (
        select(*columns)
        .join(Part, col(Part.record_seq) == RecordRow.record_seq)
        .where(col(RecordRow.issuer) == peer, is_current())
        .group_by(col(RecordRow.record_seq), *columns)
        .having(has_substance())
    )
    if subjects is not None:
        query = query.where(col(RecordRow.subject).in_(subjects))
    found: dict[Key, Counted] = {}
    for kind, subject, time in session.connection().execute(query):
        known = found.get((kind, subject))
        if known is None or time < known.time:
            found[kind, subject] = Counted(time)
    return found


def _given(session: Session, peer: str, subjects: Subjects) -> Mapping[Key, Counted]:
    which: list[Any] = [col(Release.peer) == peer]
    if subjects is not None:
        # an expression, so that the parts are the way in and not all that the peer was given
        which = [col(Release.peer).concat("") == peer]
        which.append(col(RecordRow.subject).in_(subjects))
    found: dict[Key, Counted] = {}
    for kind, subject, offer, time in session.connection().execute(crossings(*which)):
        known = found.get((kind, subject))
        if known is None or offer < known.offer:
            found[kind, subject] = Counted(time, offer)
    return found


def _rejected(session: Session, peer: str, subjects: Subjects) -> Mapping[Key, Counted]:
    table = Quarantine
    query = select(col(table.kind), col(table.record_id), col(table.quarantine_time)).where(
        col(table.peer) == peer, col(table.reason) != UnknownKey.reason
    )
    if subjects is not None:
        query = query.where(col(table.record_id).in_(subjects))
    rows = session.connection().execute(query)
    return {(kind, record_id): Counted(time) for kind, record_id, time in rows}


COUNT: Final[Mapping[Side, Callable[[Session, str, Subjects], Mapping[Key, Counted]]]] = {
    "received": _received,
    "given": _given,
    "rejected": _rejected,
}
"""What counts on each side towards standing with a peer."""
