"""Entries: one for each subject that counts towards standing, kept in step with the ledger.

Whatever may change what counts (a record that arrives or stops being current, a release, a refusal)
names the subjects that it touches. Their entries are compared with the ledger, and only the
difference is written and counted. Receipts and the end of the window change only how entries are
counted: see ``given`` and ``window``.

Invariants: entries and counters change in the transaction of the change, except that ``given`` may
count releases later; the cost grows with what is touched, not with what is held;
``recompute_standing``, which reads the whole ledger by the same queries, finds nothing to correct.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from sqlalchemy import ColumnElement, delete, insert, select
from sqlmodel import Session

from comity.node.database.owner import own_institute
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import RecordRow
from comity.node.database.tables import StandingEntryRow as Entry
from comity.node.policy.standing.counted_subjects import (
    COUNTED_BY_SIDE,
    Counted,
    Side,
    SubjectKey,
    received_by,
)
from comity.node.policy.standing.counters import CounterChanges, counter_column, receipted_offer
from comity.node.policy.standing.rule import window_of

_CHUNK: Final = 500
"""Subjects in one statement: within what every database takes as parameters."""

_Entries = Mapping[SubjectKey, tuple[Counted, bool]]
"""What entries say: since when a subject counts, and True if it is counted within the window."""


def count_added_records(session: WriteSession, records: Iterable[int], now: int) -> None:
    """Count records that arrived or gained sections, given by ``record_seq``.

    If a subject counts already, these records can only make it count from an earlier time. So its
    other records are not read, however many there are.
    """
    found = received_by(session, RecordRow.record_seq.in_(list(records)))
    # a record that this institute issued counts once it has been given (rule 5)
    found.pop(own_institute(session), None)

    since = now - window_of(session)
    for peer, counted in found.items():
        before = _entries(session, "received", peer, [subject for _, subject in counted])
        after = dict(before)
        for key, new in counted.items():
            if key not in before or new.time < before[key][0].time:
                after[key] = new, new.time > since
        _change(session, "received", peer, before, after)


def recount_subjects(session: WriteSession, subjects: Iterable[tuple[str, int]], now: int) -> None:
    """Count subjects anew of which a record stopped being current.

    ``subjects`` are pairs of issuer and ``subject_seq``.
    """
    by_issuer: dict[str, set[int]] = {}
    for issuer, subject in subjects:
        by_issuer.setdefault(issuer, set()).add(subject)

    # own subjects count for each peer that was given them, others for their issuer
    own = by_issuer.pop(own_institute(session), set())
    for peer, given in _given_to(session, own).items():
        update_entries(session, "given", peer, given, now)
    for issuer, received in by_issuer.items():
        update_entries(session, "received", issuer, received, now)


def update_entries(
    session: WriteSession, side: Side, peer: str, subjects: Iterable[int], now: int
) -> None:
    """Bring the entries of some subjects in step with the ledger."""
    since = now - window_of(session)
    for chunk in _chunks(subjects):
        truth = COUNTED_BY_SIDE[side](session, peer, chunk)
        after = {key: (counted, counted.time > since) for key, counted in truth.items()}
        _change(session, side, peer, _entries(session, side, peer, chunk), after)


def entries_of(peer: str, side: Side) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for the ``StandingEntryRow`` rows of one side with a peer."""
    return Entry.peer == peer, Entry.side == side


def _chunks(subjects: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(set(subjects))
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]


def _entries(session: Session, side: Side, peer: str, subjects: list[int]) -> _Entries:
    """Return the entries of some subjects on one side with a peer."""
    columns = (Entry.kind, Entry.subject_seq, Entry.recent)
    query = select(*columns, Entry.counted_time, Entry.offer_number).where(
        *entries_of(peer, side), Entry.subject_seq.in_(subjects)
    )
    return {
        (kind, subject): (Counted(time, offer), recent)
        for kind, subject, recent, time, offer in session.connection().execute(query)
    }


def _change(
    session: WriteSession, side: Side, peer: str, before: _Entries, after: _Entries
) -> None:
    """Write the difference between entries, and count it."""
    stale = {key: entry for key, entry in before.items() if after.get(key) != entry}
    fresh = {key: entry for key, entry in after.items() if before.get(key) != entry}

    receipted = receipted_offer(session, peer)
    changes = CounterChanges()
    for entries, sign in ((stale, -1), (fresh, 1)):
        for (kind, _), (counted, recent) in entries.items():
            column = counter_column(side, pending=counted.offer > receipted)
            changes.add(peer, kind, column, recent=recent, count=sign)

    _delete(session, side, peer, stale)
    _insert(session, side, peer, fresh)
    changes.write(session)


def _delete(session: WriteSession, side: Side, peer: str, stale: _Entries) -> None:
    by_kind: dict[str, list[int]] = {}
    for kind, subject in stale:
        by_kind.setdefault(kind, []).append(subject)

    for kind, subjects in by_kind.items():
        which = (*entries_of(peer, side), Entry.kind == kind, Entry.subject_seq.in_(subjects))
        session.connection().execute(delete(Entry).where(*which))


def _insert(session: WriteSession, side: Side, peer: str, fresh: _Entries) -> None:
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


def _given_to(session: Session, subjects: set[int]) -> dict[str, set[int]]:
    """Return, by peer, those of own subjects that count as given to it."""
    found: dict[str, set[int]] = {}
    for chunk in _chunks(subjects):
        query = select(Entry.peer, Entry.subject_seq).where(
            Entry.subject_seq.in_(chunk), Entry.side == "given"
        )
        for peer, subject in session.connection().execute(query):
            found.setdefault(peer, set()).add(subject)
    return found
