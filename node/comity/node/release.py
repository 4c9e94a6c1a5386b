"""Release: applies decisions to parts, and appends what is allowed to a peer's queue.

Three kinds of parts can become releasable: those stored since the peer was last considered (the
tail), those whose embargo has ended since, and those whose class was denied and is allowed now
(the backlog). Each is one ``INSERT … SELECT`` over classes, never a loop over records.

Where the policy asks for standing, giving uses standing up, and of the records issued here only as
many are released at once as ``allowance`` says; where less was used up than it reckons with,
because sections stayed here, release runs again.

Invariants (DESIGN section 10): nothing is appended that policy or handling denies at that time (1);
everything allowed is appended in the end (2); offer numbers have no gaps; what was appended stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    case,
    exists,
    func,
    insert,
    literal,
    or_,
    update,
)
from sqlmodel import Session, col, select

from comity.node.allowance import limits, uses_standing
from comity.node.decisions import decide_classes, stamp
from comity.node.peers import facts_of
from comity.node.reckoning import move_window, reckon_released, window_has_moved
from comity.node.rows import last_number
from comity.node.tables import (
    Decision,
    HandlingClass,
    Part,
    PeerRow,
    RecordRow,
    Release,
)
from comity.policies.evaluator import Policy
from comity.policies.facts import PartFacts, PeerFacts, PeerStatus


def release_to(session: Session, row: PeerRow, policy: Policy, now: int) -> int:
    """Append to a peer's queue what it may have now, in ``Store.write``; return how many parts."""
    if row.status == PeerStatus.REMOVED:
        return 0
    move_window(session, row.institute, now)
    peer = facts_of(session, row)
    decide_classes(session, row, peer, policy)
    queue = _Queue(session, row, now)
    limited = queue.limits(peer, policy) if policy.depends_on_standing else {}
    held_back = queue.with_sections(limited)
    queue.append(~col(Part.class_id).in_(held_back))
    for class_id, count in limited.items():
        queue.append_first(class_id, count)
    queue.close(held_back)
    if limited and queue.appended:
        row.decided = ""
    return queue.appended


def is_due(session: Session, row: PeerRow, policy: Policy, now: int) -> bool:
    """Whether anything that release depends on has changed since it last ran for a peer."""
    if window_has_moved(session, row.institute, now):
        return True
    if stamp(policy, facts_of(session, row)) != row.decided:
        return True
    ended = col(Part.embargo_time).between(row.considered_time + 1, now)
    if last_number(session, Part.part_id) > row.considered_part:
        return True
    return session.exec(select(Part.part_id).where(ended).limit(1)).first() is not None


class _Queue:
    """One peer's queue while it is being appended to."""

    def __init__(self, session: Session, row: PeerRow, now: int) -> None:
        self._session, self._row, self._now = session, row, now
        self._first = row.offered
        waiting = select(Decision.class_id).where(
            col(Decision.peer) == row.institute, col(Decision.allowed), col(Decision.backlog)
        )
        self._backlog = set(session.exec(waiting))
        # one walk over all parts is quicker than a walk for each of many classes, and in order
        self._many = 4 * len(self._backlog) > last_number(session, HandlingClass.class_id)

    @property
    def appended(self) -> int:
        return self._row.offered - self._first

    def append(self, *which: ColumnElement[bool]) -> None:
        """Append the candidates of all sources that meet ``which``."""
        for source in self._sources():
            self._insert(source, *which)

    def append_first(self, class_id: int, count: int) -> None:
        """Append the records of a class, up to the ``count``th that uses standing up."""
        if not count:
            return
        first = func.min(Part.record_seq)
        counting = self._headers([class_id], first).where(uses_standing(self._row.institute))
        nth = counting.group_by(col(RecordRow.subject)).order_by(first).offset(count - 1).limit(1)
        last = self._session.connection().execute(nth).scalar_one()
        classes = col(Part.class_id).in_(self.with_sections([class_id]))
        self.append(classes, col(Part.record_seq) <= last)

    def limits(self, peer: PeerFacts, policy: Policy) -> dict[int, int]:
        """Return how many may be released of the classes that standing limits."""
        headers = self._own_headers()
        subject = case((uses_standing(self._row.institute), col(RecordRow.subject)))
        query = self._headers(headers, col(Part.class_id), func.count(subject.distinct()))
        counts = self._session.connection().execute(query.group_by(col(Part.class_id)))
        return limits(headers, dict(counts.all()), peer, policy)

    def with_sections(self, headers: Iterable[int]) -> set[int]:
        """Return classes of headers together with those of their sections."""
        wanted = set(headers)
        if not wanted:
            return wanted
        query = select(HandlingClass.class_id).where(col(HandlingClass.header_class_id).in_(wanted))
        return wanted | set(self._session.exec(query))

    def close(self, held_back: set[int]) -> None:
        """Note what has been considered, and count what was given."""
        row = self._row
        row.considered_part = last_number(self._session, Part.part_id)
        # may go back with the clock: embargoes are then looked at again, and none is missed
        row.considered_time = self._now
        self._session.add(row)
        done = update(Decision).where(col(Decision.peer) == row.institute, col(Decision.allowed))
        connection = self._session.connection()
        connection.execute(
            done.values(backlog=False).where(
                col(Decision.backlog), ~col(Decision.class_id).in_(held_back)
            )
        )
        if held_back:
            connection.execute(
                done.values(backlog=True).where(col(Decision.class_id).in_(held_back))
            )
        self._session.flush()
        if self.appended:
            reckon_released(self._session, row.institute, self._first, self._now)

    def _own_headers(self) -> dict[int, PartFacts]:
        """Return the allowed classes of headers of this institute's own records."""
        query = (
            select(HandlingClass)
            .join(Decision, col(Decision.class_id) == HandlingClass.class_id)
            .where(Decision.peer == self._row.institute, col(Decision.allowed))
            .where(col(HandlingClass.header_class_id).is_(None))
        )
        facts = ((c.class_id, c.facts.encode()) for c in self._session.exec(query))
        headers = {class_id: PartFacts.from_json(data) for class_id, data in facts}
        return {class_id: part for class_id, part in headers.items() if part.own}

    def _sources(self) -> list[ColumnElement[bool]]:
        row = self._row
        sources = [col(Part.part_id) > row.considered_part]
        if self._many:
            sources.append(col(Decision.backlog).is_(True))
        elif self._backlog:
            sources.append(col(Part.class_id).in_(self._backlog))
        sources.append(col(Part.embargo_time).between(row.considered_time + 1, self._now))
        return sources

    def _candidate(self) -> list[ColumnElement[bool]]:
        # by the decision's peer, so that it is asked only of parts that are allowed
        released = exists().where(
            col(Release.peer) == Decision.peer, col(Release.part_id) == Part.part_id
        )
        due = or_(col(Part.embargo_time).is_(None), col(Part.embargo_time) <= self._now)
        return [due, col(Part.origin) != self._row.institute, ~released]

    def _headers(self, class_ids: Iterable[int], *columns: Any) -> Select[Any]:
        query = self._joined(*columns).join(RecordRow, col(RecordRow.record_seq) == Part.record_seq)
        return query.where(or_(*self._sources()), col(Part.class_id).in_(list(class_ids)))

    def _joined(self, *columns: Any) -> Select[Any]:
        query: Select[Any] = select(*columns).select_from(Part)
        # the sum keeps SQLite from walking the parts class by class: a source is the way in
        decided = (col(Decision.peer) == self._row.institute) & (
            col(Decision.class_id) == col(Part.class_id) + 0
        )
        return query.join(Decision, decided).where(col(Decision.allowed), *self._candidate())

    def _insert(self, *which: ColumnElement[bool]) -> None:
        row_number = func.row_number().over(order_by=col(Part.part_id))
        number = literal(self._row.offered, BigInteger) + row_number
        query = self._joined(
            literal(self._row.institute),
            number,
            col(Part.part_id),
            col(Decision.ruling_id),
            literal(self._now),
        ).where(*which)
        columns = ["peer", "offer_number", "part_id", "ruling_id", "release_time"]
        statement = insert(Release).from_select(columns, query.order_by(col(Part.part_id)))
        # psycopg's count is otherwise gone once the statement is done
        done = self._session.connection().execute(
            statement, execution_options={"preserve_rowcount": True}
        )
        self._row.offered += done.rowcount
