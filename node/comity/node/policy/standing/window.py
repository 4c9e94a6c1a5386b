"""The window of standing: entries that become too old are no longer counted as recent.

Moving it costs as much as the entries that leave it, however many there are (rule 7).
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, func, literal, select, update
from sqlmodel import Session

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PeerRow
from comity.node.database.tables import StandingEntryRow as Entry
from comity.node.policy.standing.counters import CounterChanges, counter_column, receipted_offer
from comity.node.policy.standing.rule import window_of
from comity.policies.facts import PeerStatus


def window_has_moved(session: Session, peer: str, now: int) -> bool:
    """True if an entry of a peer has left the window, or come back into it, uncounted."""
    queries = (select(literal(True)).where(*which) for which in _moved(session, peer, now))
    found = (session.connection().execute(query.limit(1)).first() for query in queries)
    return any(row is not None for row in found)


def next_window_time(session: Session) -> int | None:
    """Return when the next entry of a peer leaves the window, Unix ms; None if none will."""
    # for each peer its oldest entry: one step in an index each, however many entries there are
    oldest = select(func.min(Entry.counted_time)).where(
        Entry.peer == PeerRow.institute, Entry.recent.is_(True)
    )
    pinned = PeerRow.status != PeerStatus.REMOVED
    query = select(oldest.correlate(PeerRow).scalar_subquery()).where(pinned)
    times = session.connection().execute(query).scalars()
    first = min((time for time in times if time is not None), default=None)
    return None if first is None else first + window_of(session)


def move_window(session: WriteSession, peer: str, now: int) -> None:
    """Count entries that have left the window as old, and those that came back as recent."""
    left, back = _moved(session, peer, now)

    # (1) the counters, while the entries still say what was counted
    changes = CounterChanges()
    pending = Entry.offer_number > receipted_offer(session, peer)
    columns = (Entry.side, Entry.kind, pending)
    for which, sign in ((left, -1), (back, 1)):
        query = select(*columns, func.count()).where(*which).group_by(*columns)
        for side, kind, is_pending, count in session.connection().execute(query):
            changes.counts[peer, kind, counter_column(side, pending=is_pending)] += sign * count

    # (2) the entries themselves
    for which, recent in ((left, False), (back, True)):
        session.connection().execute(update(Entry).where(*which).values(recent=recent))

    changes.write(session)


def _moved(session: Session, peer: str, now: int) -> tuple[list[ColumnElement[bool]], ...]:
    """Return the conditions for entries that left the window, and for those that came back.

    Entries come back if the clock was set back, or the settings now say a longer window.
    """
    since = now - window_of(session)
    of_peer, recent = Entry.peer == peer, Entry.recent
    left = [of_peer, recent.is_(True), Entry.counted_time <= since]
    back = [of_peer, recent.is_(False), Entry.counted_time > since]
    return left, back
