"""Counters of standing: changes are gathered first, and then added to the rows together.

Each subject that counts has an entry (``entries``), and each counter is a number of entries. So a
counter changes only where an entry is made, dropped, signed for, or moved by the window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import insert, update
from sqlmodel import Session

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PeerRow, StandingRow
from comity.node.policy.standing.counted_subjects import COUNTED_BY_SIDE
from comity.node.policy.standing.rule import window_of


class CounterChanges:
    """Changes of counters, by peer, kind and column of ``StandingRow``, until they are written."""

    def __init__(self) -> None:
        self.counts = Counter[tuple[str, str, str]]()

    def add(self, peer: str, kind: str, column: str, *, recent: bool, count: int) -> None:
        """Count since the beginning and, if recent, also within the window."""
        self.counts[peer, kind, f"{column}_ever"] += count
        if recent:
            self.counts[peer, kind, column] += count

    def write(self, session: WriteSession) -> None:
        """Add the changes to the counters."""
        rows: dict[tuple[str, str], dict[str, int]] = {}
        for (peer, kind, column), count in self.counts.items():
            if count:
                rows.setdefault((peer, kind), {})[column] = count

        for (peer, kind), changes in rows.items():
            which = (StandingRow.peer == peer, StandingRow.kind == kind)
            values = {name: getattr(StandingRow, name) + count for name, count in changes.items()}
            done = session.connection().execute(update(StandingRow).where(*which).values(values))

            # the first change of a peer and kind makes their row
            if done.rowcount == 0:
                row = StandingRow(peer=peer, kind=kind).model_dump() | changes
                session.connection().execute(insert(StandingRow), [row])


def recompute_standing(session: Session, peer: str, now: int) -> Mapping[str, Mapping[str, int]]:
    """Return what the counters of a peer must be, by kind and column, from the ledger alone.

    Columns are those of ``StandingRow``; zeros are left out.
    """
    since, receipted = now - window_of(session), receipted_offer(session, peer)
    changes = CounterChanges()
    for side, count in COUNTED_BY_SIDE.items():
        for (kind, _), counted in count(session, peer, None).items():
            column = counter_column(side, pending=counted.offer > receipted)
            changes.add(peer, kind, column, recent=counted.time > since, count=1)

    found: dict[str, dict[str, int]] = {}
    for (_, kind, column), number in changes.counts.items():
        found.setdefault(kind, {})[column] = number
    return found


def counter_column(side: str, *, pending: bool) -> str:
    """Return the column of ``StandingRow`` that counts an entry within the window."""
    # a release that the peer has not signed for is pending (rule 5)
    return "pending" if side == "given" and pending else side


def receipted_offer(session: Session, peer: str) -> int:
    """Return the number of the last offer that a peer has signed for; 0 if none or no peer."""
    row = session.get(PeerRow, peer)
    return 0 if row is None else row.receipted
