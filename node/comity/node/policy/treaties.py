"""Treaties in the database: bilateral agreements, for which the policy's templates are linked.

Invariants: a treaty is never changed or deleted, only ended, and its id is never used again, so
that a release that names it can always be explained by it; its party is a peer; no more than
MAX_TREATIES can ever be in force at the same time.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Session, select

from comity.node.database.clock import to_datetime, to_milliseconds
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import TreatyRow
from comity.node.database.text import find_row
from comity.node.trust.peers import get_peer
from comity.policies.facts import PeerStatus
from comity.policies.treaty import Treaty
from comity.record.errors import Conflict, InvalidInput, NotFound
from comity.record.kind import Kind
from comity.record.limits import MAX_TREATIES
from comity.record.times import format_time

_HINT: Final = "comity-node treaty list shows the treaties"


def add_treaty(session: WriteSession, treaty: Treaty, now: int) -> TreatyRow:
    """Store a treaty; ``now`` is Unix time in milliseconds.

    Raises:
        NotFound: its party is not a peer.
        Conflict: there is, or was, a treaty with that id.
        InvalidInput: it is over already.
        LimitExceeded: more than MAX_TREATIES treaties would not be over.
    """
    # (1) the party is a peer, and the id is new
    if get_peer(session, treaty.party).status == PeerStatus.REMOVED:
        raise NotFound(f"{treaty.party} was removed", field="treaty.party")
    if session.get(TreatyRow, treaty.treaty_id) is not None:
        message = f"expected a new id, got {treaty.treaty_id}, which is kept for its releases"
        raise Conflict(message, field="treaty.treatyId", hint=_HINT)

    # (2) it can still come into force, and there is room for it
    end = None if treaty.end is None else to_milliseconds(treaty.end)
    if treaty.end is not None and end is not None and end <= now:
        message = f"expected an end that lies ahead, got {format_time(treaty.end)}"
        raise InvalidInput(message, field="treaty.end")
    count = session.exec(select(func.count()).select_from(TreatyRow).where(_not_over(now))).one()
    MAX_TREATIES.check(count + 1, "treaty")

    row = TreatyRow(
        treaty_id=treaty.treaty_id,
        party=treaty.party,
        kinds=sorted(treaty.kinds),
        sections=sorted(treaty.sections),
        start_time=to_milliseconds(treaty.start),
        end_time=end,
        added_time=now,
    )
    session.add(row)
    session.flush()
    return row


def end_treaty(session: WriteSession, treaty_id: str, now: int) -> TreatyRow:
    """End a treaty before its time, or before it has begun.

    Raises:
        NotFound: there is no treaty with that id.
        Conflict: it is over already.
    """
    row = find_row(session, TreatyRow, treaty_id)
    if row is None:
        raise NotFound(f"no treaty {treaty_id!r:.160}", field="treaty", hint=_HINT)

    over = over_time(row)
    if over is not None and over <= now:
        since = format_time(to_datetime(over))
        raise Conflict(f"{treaty_id} is over since {since}", field="treaty")

    row.ended_time = now
    session.add(row)
    session.flush()
    return row


def list_treaties(session: Session) -> list[TreatyRow]:
    """Return all treaties, including those that are over, by party and start."""
    query = select(TreatyRow).order_by(TreatyRow.party, TreatyRow.start_time)
    return list(session.exec(query.order_by(TreatyRow.treaty_id)))


def treaties_in_force(session: Session, now: int) -> list[Treaty]:
    """Return the treaties that are in force at a time, ordered by id."""
    query = select(TreatyRow).where(TreatyRow.start_time <= now, _not_over(now))
    return [_treaty(row) for row in session.exec(query.order_by(TreatyRow.treaty_id))]


def next_treaty_time(session: Session, now: int) -> int | None:
    """Return when the next treaty begins or is over after ``now``; None if none does."""
    query = select(TreatyRow).where(_not_over(now))
    times = [time for row in session.exec(query) for time in (row.start_time, row.end_time)]
    return min((time for time in times if time is not None and time > now), default=None)


def over_time(row: TreatyRow) -> int | None:
    """Return when a treaty is over: as agreed, or when it was ended; None means it has no end."""
    return row.end_time if row.ended_time is None else row.ended_time


def _not_over(now: int) -> ColumnElement[bool]:
    # a treaty that an operator ended stays ended, even if the clock is set back
    ahead = or_(TreatyRow.end_time.is_(None), TreatyRow.end_time > now)
    return TreatyRow.ended_time.is_(None) & ahead


def _treaty(row: TreatyRow) -> Treaty:
    return Treaty(
        treaty_id=row.treaty_id,
        party=row.party,
        kinds=frozenset(Kind(kind) for kind in row.kinds),
        sections=frozenset(row.sections),
        start=to_datetime(row.start_time),
        end=None if row.end_time is None else to_datetime(row.end_time),
    )
