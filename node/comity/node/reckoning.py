"""Reckoning: keeps the counters of standing in step with the ledger; ``standing`` has the rule.

Each subject that counts has an entry. Whatever may change what counts (a record that arrives or
stops being current, a release, a receipt, a refusal, the end of the window) names the subjects that
it touches; their entries are compared with the ledger, and only the difference is written and
counted. Invariants: all of it happens in the transaction of the change, in ``Store.write``; the
cost grows with what is touched, not with what is held; ``recompute_standing``, which reads the
whole ledger by the same queries, finds nothing to correct.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    delete,
    except_,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlmodel import Session, col

from comity.node.counting import COUNT, Counted, Key, Side, gathered_crossings
from comity.node.standing import window_of
from comity.node.tables import HEADER, Gathered, NodeState, PeerRow, RecordRow, Standing
from comity.node.tables import StandingEntry as Entry

_CHUNK: Final = 500
"""Subjects in one statement: within what every database takes as parameters."""


def reckon_records(session: Session, touched: Iterable[tuple[str, str]], now: int) -> None:
    """Count anew the (issuer, subject) of records that came, grew, or stopped being current."""
    own = _own_institute(session)
    by_issuer: dict[str, set[str]] = {}
    for issuer, subject in touched:
        by_issuer.setdefault(issuer, set()).add(subject)
    for peer, subjects in _given_to(session, by_issuer.pop(own, set())).items():
        reckon(session, "given", peer, subjects, now)
    for issuer, subjects in by_issuer.items():
        reckon(session, "received", issuer, subjects, now)


def reckon(session: Session, side: Side, peer: str, subjects: Iterable[str], now: int) -> None:
    """Bring the entries of some subjects in step with the ledger."""
    ordered = sorted(set(subjects))
    for start in range(0, len(ordered), _CHUNK):
        _reckon_chunk(session, side, peer, ordered[start : start + _CHUNK], now)


def reckon_released(session: Session, peer: str, first: int, now: int) -> None:
    """Count what was ``Gathered`` and is released to a peer, in offers after ``first``."""
    connection = session.connection()
    content = select(literal(True)).where(col(Gathered.content) > 0)
    if connection.execute(content.limit(1)).first() is None:
        return
    new = gathered_crossings(first).subquery()
    known = exists().where(
        *_of(peer, "given"), col(Entry.kind) == new.c.kind, col(Entry.subject) == new.c.subject
    )
    # every release of one run bears the same time
    values = (literal(peer), literal("given"), new.c.kind, new.c.subject, literal(now, BigInteger))
    query = select(*values, literal(True), func.min(new.c.offer_number)).where(~known)
    query = query.group_by(new.c.kind, new.c.subject)
    columns = ["peer", "side", "kind", "subject", "counted_time", "recent", "offer_number"]
    connection.execute(insert(Entry).from_select(columns, query))
    tally = _Tally()
    made = select(col(Entry.kind), func.count()).where(
        *_of(peer, "given"), col(Entry.offer_number) > first
    )
    for kind, count in connection.execute(made.group_by(col(Entry.kind))):
        tally.add(peer, kind, "pending", recent=True, count=count)
    tally.write(session)
    # a section that follows its header adds to what was released before
    reckon(session, "given", peer, _followed(session), now)


def reckon_receipt(session: Session, peer: str, first: int, last: int) -> None:
    """Count offers after ``first`` up to ``last``, which a peer has signed for, as given."""
    columns = (col(Entry.kind), col(Entry.recent))
    which = (*_of(peer, "given"), col(Entry.offer_number).between(first + 1, last))
    query = select(*columns, func.count()).where(*which).group_by(*columns)
    tally = _Tally()
    for kind, recent, count in session.connection().execute(query):
        tally.add(peer, kind, "pending", recent=recent, count=-count)
        tally.add(peer, kind, "given", recent=recent, count=count)
    tally.write(session)


def window_has_moved(session: Session, peer: str, now: int) -> bool:
    """Whether an entry of a peer has left the window, or come back into it, uncounted."""
    queries = (select(literal(True)).where(*which) for which in _moved(session, peer, now))
    found = (session.connection().execute(query.limit(1)).first() for query in queries)
    return any(row is not None for row in found)


def move_window(session: Session, peer: str, now: int) -> None:
    """Count what has left the window as no longer recent; what came back, as recent again."""
    waits = col(Entry.offer_number) > _receipted(session, peer)
    columns = (col(Entry.side), col(Entry.kind), waits)
    tally = _Tally()
    for moved, sign in zip(_moved(session, peer, now), (-1, 1), strict=True):
        query = select(*columns, func.count()).where(*moved).group_by(*columns)
        for side, kind, pending, count in session.connection().execute(query):
            tally.counts[peer, kind, _column(side, pending)] += sign * count
    for moved, recent in zip(_moved(session, peer, now), (False, True), strict=True):
        session.connection().execute(update(Entry).where(*moved).values(recent=recent))
    tally.write(session)


def recompute_standing(session: Session, peer: str, now: int) -> Mapping[str, Mapping[str, int]]:
    """Return what the counters of a peer must be, by kind and column, from the ledger alone.

    Columns are those of ``tables.Standing``; what is 0 is left out.
    """
    since, receipted = now - window_of(session), _receipted(session, peer)
    tally = _Tally()
    for side, count in COUNT.items():
        for (kind, _), counted in count(session, peer, None).items():
            column = _column(side, counted.offer > receipted)
            tally.add(peer, kind, column, recent=counted.time > since, count=1)
    found: dict[str, dict[str, int]] = {}
    for (_, kind, column), number in tally.counts.items():
        found.setdefault(kind, {})[column] = number
    return found


class _Tally:
    """Changes of counters, by peer, kind and column, until they are written."""

    def __init__(self) -> None:
        self.counts = Counter[tuple[str, str, str]]()

    def add(self, peer: str, kind: str, column: str, *, recent: bool, count: int) -> None:
        """Count since the beginning and, if recent, within the window."""
        self.counts[peer, kind, f"{column}_ever"] += count
        if recent:
            self.counts[peer, kind, column] += count

    def write(self, session: Session) -> None:
        """Add the changes to the counters."""
        rows: dict[Key, dict[str, int]] = {}
        for (peer, kind, column), count in self.counts.items():
            if count:
                rows.setdefault((peer, kind), {})[column] = count
        for (peer, kind), changes in rows.items():
            which = (col(Standing.peer) == peer, col(Standing.kind) == kind)
            values = {name: getattr(Standing, name) + count for name, count in changes.items()}
            done = session.connection().execute(update(Standing).where(*which).values(values))
            if done.rowcount == 0:
                row = Standing(peer=peer, kind=kind).model_dump() | changes
                session.connection().execute(insert(Standing), [row])


def _reckon_chunk(session: Session, side: Side, peer: str, subjects: list[str], now: int) -> None:
    since, receipted = now - window_of(session), _receipted(session, peer)
    query = select(Entry.kind, Entry.subject, Entry.counted_time, Entry.offer_number, Entry.recent)  # type: ignore[call-overload]
    query = query.where(*_of(peer, side), col(Entry.subject).in_(subjects))
    before: dict[Key, tuple[Counted, bool]] = {
        (kind, subject): (Counted(time, offer), recent)
        for kind, subject, time, offer, recent in session.connection().execute(query)
    }
    truth = COUNT[side](session, peer, subjects)
    after = {key: (counted, counted.time > since) for key, counted in truth.items()}
    stale = {key: entry for key, entry in before.items() if after.get(key) != entry}
    fresh = {key: entry for key, entry in after.items() if before.get(key) != entry}
    tally = _Tally()
    for entries, sign in ((stale, -1), (fresh, 1)):
        for (kind, _), (counted, recent) in entries.items():
            column = _column(side, counted.offer > receipted)
            tally.add(peer, kind, column, recent=recent, count=sign)
    _replace(session, side, peer, stale, fresh)
    tally.write(session)


def _replace(
    session: Session,
    side: Side,
    peer: str,
    stale: Iterable[Key],
    fresh: Mapping[Key, tuple[Counted, bool]],
) -> None:
    gone: dict[str, list[str]] = {}
    for kind, subject in stale:
        gone.setdefault(kind, []).append(subject)
    for kind, subjects in gone.items():
        which = (*_of(peer, side), col(Entry.kind) == kind, col(Entry.subject).in_(subjects))
        session.connection().execute(delete(Entry).where(*which))
    rows = [
        {
            "peer": peer,
            "side": side,
            "kind": kind,
            "subject": subject,
            "counted_time": counted.time,
            "recent": recent,
            "offer_number": counted.offer,
        }
        for (kind, subject), (counted, recent) in fresh.items()
    ]
    if rows:
        session.connection().execute(insert(Entry), rows)


def _of(peer: str, side: Side) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(Entry.peer) == peer, col(Entry.side) == side


def _column(side: str, pending: bool) -> str:
    return "pending" if side == "given" and pending else side


def _moved(session: Session, peer: str, now: int) -> tuple[list[ColumnElement[bool]], ...]:
    """Return the conditions for entries that left the window, and for those that came back."""
    since = now - window_of(session)
    of_peer, recent = col(Entry.peer) == peer, col(Entry.recent)
    left = [of_peer, recent.is_(True), col(Entry.counted_time) <= since]
    return left, [of_peer, recent.is_(False), col(Entry.counted_time) > since]


def _receipted(session: Session, peer: str) -> int:
    row = session.get(PeerRow, peer)
    return 0 if row is None else row.receipted


def _given_to(session: Session, subjects: set[str]) -> dict[str, set[str]]:
    """Return, of own subjects, those that were counted as given, by peer."""
    found: dict[str, set[str]] = {}
    ordered = sorted(subjects)
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        query = select(col(Entry.peer), col(Entry.subject)).where(
            col(Entry.subject).in_(chunk), col(Entry.side) == "given"
        )
        for peer, subject in session.connection().execute(query):
            found.setdefault(peer, set()).add(subject)
    return found


def _followed(session: Session) -> list[str]:
    """Return the subjects of own records of which sections, and not the header, were gathered."""
    sections = select(col(Gathered.record_seq)).where(col(Gathered.content) > 0)
    headers = select(col(Gathered.record_seq)).where(col(Gathered.section) == HEADER)
    followed = except_(sections, headers).subquery()
    query = select(col(RecordRow.subject)).where(
        col(RecordRow.record_seq).in_(select(followed.c.record_seq))
    )
    return list(session.connection().execute(query.distinct()).scalars())


def _own_institute(session: Session) -> str:
    return session.connection().execute(select(col(NodeState.institute))).scalar_one()
