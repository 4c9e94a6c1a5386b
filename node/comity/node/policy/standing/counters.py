"""Reckoning: keeps the counters of standing in step with the ledger; ``standing`` has the rule.

Each subject that counts has an entry. Whatever may change what counts (a record that arrives or
stops being current, a release, a receipt, a refusal, the end of the window) names the subjects that
it touches; their entries are compared with the ledger, and only the difference is written and
counted. Invariants: all of it happens in the transaction of the change, but for releases, which
``giving`` counts; the cost grows with what is touched, not with what is held;
``recompute_standing``, which reads the whole ledger by the same queries, finds nothing to correct.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import (
    ColumnElement,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlmodel import Session

from comity.node.database.owner import own_institute
from comity.node.database.store import WriteSession
from comity.node.database.tables import PeerRow, RecordRow, StandingRow
from comity.node.database.tables import StandingEntryRow as Entry
from comity.node.policy.standing.counted_subjects import COUNT, Counted, Key, Side, received_by
from comity.node.policy.standing.rule import window_of

_CHUNK: Final = 500
"""Subjects in one statement: within what every database takes as parameters."""


def reckon_added(session: WriteSession, records: Iterable[int], now: int) -> None:
    """Count records, by ``record_seq``, that came or that gained sections.

    Of a subject that counts already they can only make it count from an earlier time, so that its
    other records are not looked at, however many there are.
    """
    found = received_by(session, RecordRow.record_seq.in_(list(records)))
    # what this institute issued counts once it has been given
    found.pop(own_institute(session), None)
    for peer, counted in found.items():
        before = _entries(session, "received", peer, [subject for _, subject in counted])
        since = now - window_of(session)
        after = dict(before)
        for key, new in counted.items():
            if key not in before or new.time < before[key][0].time:
                after[key] = new, new.time > since
        _change(session, "received", peer, before, after)


def reckon_ended(session: WriteSession, subjects: Iterable[tuple[str, int]], now: int) -> None:
    """Count anew subjects, by issuer and number, of which a record stopped being current."""
    own = own_institute(session)
    by_issuer: dict[str, set[int]] = {}
    for issuer, subject in subjects:
        by_issuer.setdefault(issuer, set()).add(subject)
    for peer, given in _given_to(session, by_issuer.pop(own, set())).items():
        reckon(session, "given", peer, given, now)
    for issuer, received in by_issuer.items():
        reckon(session, "received", issuer, received, now)


def reckon(session: WriteSession, side: Side, peer: str, subjects: Iterable[int], now: int) -> None:
    """Bring the entries of some subjects in step with the ledger."""
    ordered = sorted(set(subjects))
    for start in range(0, len(ordered), _CHUNK):
        _reckon_chunk(session, side, peer, ordered[start : start + _CHUNK], now)


def entries_of(peer: str, side: Side) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for the ``StandingEntryRow`` rows of one side with a peer."""
    return Entry.peer == peer, Entry.side == side


def window_has_moved(session: Session, peer: str, now: int) -> bool:
    """Whether an entry of a peer has left the window, or come back into it, uncounted."""
    queries = (select(literal(True)).where(*which) for which in _moved(session, peer, now))
    found = (session.connection().execute(query.limit(1)).first() for query in queries)
    return any(row is not None for row in found)


def move_window(session: WriteSession, peer: str, now: int) -> None:
    """Count what has left the window as no longer recent; what came back, as recent again."""
    waits = Entry.offer_number > _receipted(session, peer)
    columns = (Entry.side, Entry.kind, waits)
    counters = Counters()
    for moved, sign in zip(_moved(session, peer, now), (-1, 1), strict=True):
        query = select(*columns, func.count()).where(*moved).group_by(*columns)
        for side, kind, pending, count in session.connection().execute(query):
            counters.counts[peer, kind, _column(side, pending)] += sign * count
    for moved, recent in zip(_moved(session, peer, now), (False, True), strict=True):
        session.connection().execute(update(Entry).where(*moved).values(recent=recent))
    counters.write(session)


def recompute_standing(session: Session, peer: str, now: int) -> Mapping[str, Mapping[str, int]]:
    """Return what the counters of a peer must be, by kind and column, from the ledger alone.

    Columns are those of ``tables.Standing``; what is 0 is left out.
    """
    since, receipted = now - window_of(session), _receipted(session, peer)
    counters = Counters()
    for side, count in COUNT.items():
        for (kind, _), counted in count(session, peer, None).items():
            column = _column(side, counted.offer > receipted)
            counters.add(peer, kind, column, recent=counted.time > since, count=1)
    found: dict[str, dict[str, int]] = {}
    for (_, kind, column), number in counters.counts.items():
        found.setdefault(kind, {})[column] = number
    return found


class Counters:
    """Changes of counters, by peer, kind and column, until they are written."""

    def __init__(self) -> None:
        self.counts = Counter[tuple[str, str, str]]()

    def add(self, peer: str, kind: str, column: str, *, recent: bool, count: int) -> None:
        """Count since the beginning and, if recent, within the window."""
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
            if done.rowcount == 0:
                row = StandingRow(peer=peer, kind=kind).model_dump() | changes
                session.connection().execute(insert(StandingRow), [row])


def _reckon_chunk(
    session: WriteSession, side: Side, peer: str, subjects: list[int], now: int
) -> None:
    since = now - window_of(session)
    truth = COUNT[side](session, peer, subjects)
    after = {key: (counted, counted.time > since) for key, counted in truth.items()}
    _change(session, side, peer, _entries(session, side, peer, subjects), after)


def _entries(
    session: Session, side: Side, peer: str, subjects: list[int]
) -> dict[Key, tuple[Counted, bool]]:
    """Return the entries of some subjects, and whether each is counted within the window."""
    columns = (Entry.kind, Entry.subject_seq, Entry.recent)
    query = select(*columns, Entry.counted_time, Entry.offer_number).where(
        *entries_of(peer, side), Entry.subject_seq.in_(subjects)
    )
    return {
        (kind, subject): (Counted(time, offer), recent)
        for kind, subject, recent, time, offer in session.connection().execute(query)
    }


def _change(
    session: WriteSession,
    side: Side,
    peer: str,
    before: Mapping[Key, tuple[Counted, bool]],
    after: Mapping[Key, tuple[Counted, bool]],
) -> None:
    receipted = _receipted(session, peer)
    stale = {key: entry for key, entry in before.items() if after.get(key) != entry}
    fresh = {key: entry for key, entry in after.items() if before.get(key) != entry}
    counters = Counters()
    for entries, sign in ((stale, -1), (fresh, 1)):
        for (kind, _), (counted, recent) in entries.items():
            column = _column(side, counted.offer > receipted)
            counters.add(peer, kind, column, recent=recent, count=sign)
    _replace(session, side, peer, stale, fresh)
    counters.write(session)


def _replace(
    session: WriteSession,
    side: Side,
    peer: str,
    stale: Iterable[Key],
    fresh: Mapping[Key, tuple[Counted, bool]],
) -> None:
    gone: dict[str, list[int]] = {}
    for kind, subject in stale:
        gone.setdefault(kind, []).append(subject)
    for kind, subjects in gone.items():
        which = (
            *entries_of(peer, side),
            Entry.kind == kind,
            Entry.subject_seq.in_(subjects),
        )
        session.connection().execute(delete(Entry).where(*which))
    rows = [
        {
            "peer": peer,
            "side": side,
            "kind": kind,
            "subject_seq": subject,
            "counted_time": counted.time,
            "recent": recent,
            "offer_number": counted.offer,
        }
        for (kind, subject), (counted, recent) in fresh.items()
    ]
    if rows:
        session.connection().execute(insert(Entry), rows)


def _column(side: str, pending: bool) -> str:
    return "pending" if side == "given" and pending else side


def _moved(session: Session, peer: str, now: int) -> tuple[list[ColumnElement[bool]], ...]:
    """Return the conditions for entries that left the window, and for those that came back."""
    since = now - window_of(session)
    of_peer, recent = Entry.peer == peer, Entry.recent
    left = [of_peer, recent.is_(True), Entry.counted_time <= since]
    return left, [of_peer, recent.is_(False), Entry.counted_time > since]


def _receipted(session: Session, peer: str) -> int:
    row = session.get(PeerRow, peer)
    return 0 if row is None else row.receipted


def _given_to(session: Session, subjects: set[int]) -> dict[str, set[int]]:
    """Return, of own subjects, those that were counted as given, by peer."""
    found: dict[str, set[int]] = {}
    ordered = sorted(subjects)
    for start in range(0, len(ordered), _CHUNK):
        chunk = ordered[start : start + _CHUNK]
        query = select(Entry.peer, Entry.subject_seq).where(
            Entry.subject_seq.in_(chunk), Entry.side == "given"
        )
        for peer, subject in session.connection().execute(query):
            found.setdefault(peer, set()).add(subject)
    return found
