"""A peer's queue while release appends to it: parts are gathered, numbered, then released.

Gathering and releasing are one ``INSERT … SELECT`` each, never a loop over parts. Gathering numbers
the offers, on SQLite in a fraction of the time of a window function. Invariant: offer numbers have
no gaps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, ColumnElement, exists, func, insert, literal, or_
from sqlmodel import select

from comity.node.database.rows import last_number
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import DecisionRow, HandlingClassRow, PartRow, PeerRow, ReleaseRow
from comity.node.policy.decisions import Backlog
from comity.node.release.parts import is_given, is_unembargoed
from comity.node.release.scratch_tables import GATHERED, WANTED, prepare


class Queue:
    """One peer's queue in one run of release."""

    def __init__(self, session: WriteSession, row: PeerRow, now: int) -> None:
        self._session, self._row, self._now = session, row, now
        self._first = row.offered
        prepare(session)
        self._sqlite = session.connection().dialect.name == "sqlite"

        waiting = select(DecisionRow.class_id, DecisionRow.backlog).where(
            DecisionRow.peer == row.institute,
            or_(DecisionRow.allowed, DecisionRow.follows),
            DecisionRow.backlog > Backlog.NONE,
        )
        self.backlog: Mapping[int, int] = dict(session.exec(waiting).all())
        """The ``Backlog`` of each allowed class that has one, by class id."""

        # looked up once: where no embargo plays a part, the large queries say nothing of them
        ended = select(PartRow.part_id).where(PartRow.part_id <= row.considered_part, self._ended)
        self._embargo_ended = session.exec(ended.limit(1)).first() is not None
        later = select(PartRow.part_id).where(PartRow.embargo_time > now)
        self._embargoed = session.exec(later.limit(1)).first() is not None

    @property
    def appended(self) -> int:
        """The number of parts that this run has released."""
        return self._row.offered - self._first

    def append(
        self,
        decided: ColumnElement[bool],
        *which: ColumnElement[bool],
        among: Collection[int],
        least: Backlog = Backlog.HEADERLESS,
    ) -> None:
        """Release the waiting parts of classes whose ``DecisionRow`` meets ``decided``.

        ``which`` are conditions for the parts. Parts that an earlier run considered are looked at
        only if their embargo has ended, or if their class is ``among`` and has a backlog of
        ``least`` or more.
        """
        self._want(decided)

        backlog = {i for i in among if self.backlog.get(i, Backlog.NONE) >= least}
        if backlog:
            self._gather(WANTED.c.backlog >= least, *self._in_backlog(backlog), *which)
        if self._embargo_ended:
            old = [self._considered(), self._ended, ~is_given(self._row.institute)]
            self._gather(WANTED.c.backlog < least, *old, *which)
        self._gather(PartRow.part_id > self._row.considered_part, *which)

        self._release()

    def append_corrections(self, decided: ColumnElement[bool], *which: ColumnElement[bool]) -> None:
        """Release waiting parts by the rulings on corrections; otherwise as ``append``.

        Parts that an earlier run considered are looked at too: there are few corrections.
        """
        self._want(decided, DecisionRow.correction_ruling_id)
        self._gather(~is_given(self._row.institute), *which)
        self._release()

    def waits(self, class_id: int) -> list[ColumnElement[bool]]:
        """Return the conditions under which a part of an allowed class waits."""
        waits = [PartRow.class_id == class_id, ~is_given(self._row.institute), *self._may_go()]
        if class_id not in self.backlog and not self._embargo_ended:
            waits.append(PartRow.part_id > self._row.considered_part)
        return waits

    def has_new(self) -> ColumnElement[bool]:
        """Return the condition that a ``DecisionRow``'s class has a part not considered before."""
        of_class = exists().where(PartRow.class_id == DecisionRow.class_id)
        new = of_class.where(PartRow.part_id > self._row.considered_part)
        return or_(new, of_class.where(self._ended)) if self._embargo_ended else new

    def close(self) -> None:
        """Note that all parts have been considered; empty the scratch table for the next run."""
        row = self._row
        row.considered_part = last_number(self._session, PartRow.part_id)
        # it may go back with the clock: embargoes are then looked at again, and none is missed
        row.considered_time = self._now
        self._session.add(row)
        self._session.flush()
        if self.appended:
            self._session.connection().execute(GATHERED.delete())

    @property
    def _ended(self) -> ColumnElement[bool]:
        return PartRow.embargo_time.between(self._row.considered_time + 1, self._now)

    def _considered(self) -> ColumnElement[bool]:
        # no index serves this sum, so that the database takes that of the condition beside it
        return PartRow.part_id + 0 <= self._row.considered_part

    def _in_backlog(self, classes: Collection[int]) -> list[ColumnElement[bool]]:
        """Return the conditions for considered parts of these classes that were not given."""
        # one walk over all parts is quicker than a walk for each of many classes
        if 4 * len(classes) <= last_number(self._session, HandlingClassRow.class_id):
            which = [self._considered(), PartRow.class_id.in_(classes)]
        else:
            which = [PartRow.part_id <= self._row.considered_part]

        # of a class with the backlog ALL nothing was ever given, so that need not be looked up
        if any(self.backlog[class_id] < Backlog.ALL for class_id in classes):
            not_given = ~is_given(self._row.institute)
            which.append(or_(WANTED.c.backlog == Backlog.ALL, not_given))
        return which

    def _may_go(self) -> list[ColumnElement[bool]]:
        elsewhere = PartRow.origin != self._row.institute
        return [is_unembargoed(self._now), elsewhere] if self._embargoed else [elsewhere]

    def _want(self, decided: ColumnElement[bool], ruling: Any = DecisionRow.ruling_id) -> None:
        """Fill WANTED with the peer's decisions that meet ``decided``, and the rulings on them."""
        columns = (DecisionRow.class_id, ruling, DecisionRow.backlog)
        query = sa.select(*columns).where(DecisionRow.peer == self._row.institute, decided)
        connection = self._session.connection()
        connection.execute(WANTED.delete())
        connection.execute(insert(WANTED).from_select(WANTED.c.keys(), query))

    def _gather(self, *which: ColumnElement[bool]) -> None:
        """Append the parts of wanted classes that meet ``which`` to GATHERED."""
        columns: dict[str, Any] = {"part_id": PartRow.part_id, "ruling_id": WANTED.c.ruling_id}
        if not self._sqlite:
            # SQLite counts the rows by itself, at a third of the cost
            number = func.row_number().over(order_by=PartRow.part_id)
            columns["number"] = literal(self._gathered(), BigInteger) + number

        query = sa.select(*columns.values()).select_from(PartRow)
        # the sum keeps SQLite from walking the parts class by class
        query = query.join(WANTED, WANTED.c.class_id == PartRow.class_id + 0)
        query = query.where(*which, *self._may_go()).order_by(PartRow.part_id)
        self._session.connection().execute(insert(GATHERED).from_select(list(columns), query))

    def _gathered(self) -> int:
        return last_number(self._session, GATHERED.c.number)

    def _release(self) -> None:
        """Append to the queue the parts that were gathered since the last time."""
        columns: dict[str, Any] = {
            "peer": literal(self._row.institute),
            "offer_number": literal(self._first, BigInteger) + GATHERED.c.number,
            "part_id": GATHERED.c.part_id,
            "ruling_id": GATHERED.c.ruling_id,
            "release_time": literal(self._now, BigInteger),
        }
        query = sa.select(*columns.values()).where(GATHERED.c.number > self.appended)
        query = query.order_by(GATHERED.c.number)

        self._session.connection().execute(insert(ReleaseRow).from_select(list(columns), query))
        self._row.offered = self._first + self._gathered()
