"""Giving: counts what was released to a peer towards its standing (rule 5 of ``rule``).

Offers are counted in their order, each once; ``PeerRow.counted`` is the number of the last one that
is counted. Counting may lag behind release, so that it does not delay a policy that newly allows
very many parts. Invariants: what a peer has signed for is counted; where policy asks for what was
given, everything is counted before policy is asked.
"""

from __future__ import annotations

from sqlalchemy import except_, exists, func, insert, literal, select
from sqlmodel import Session

from comity.node.database.owner import OWN_INSTITUTE
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import HEADER, PartRow, PeerRow, RecordRow, ReleaseRow
from comity.node.database.tables import StandingEntryRow as Entry
from comity.node.policy.standing.counted_subjects import (
    content_in_offers,
    offered_between,
    releases_reaching_substance,
)
from comity.node.policy.standing.counters import CounterChanges, counter_column
from comity.node.policy.standing.entries import entries_of, update_entries
from comity.node.policy.standing.rule import window_of
from comity.node.policy.standing.window import move_window, window_has_moved


def standing_is_behind(session: Session, row: PeerRow, now: int) -> bool:
    """True if a peer's standing lags behind its offers, or behind the window."""
    return row.counted < row.offered or window_has_moved(session, row.institute, now)


def update_standing(session: WriteSession, row: PeerRow, now: int) -> None:
    """Move the window, and count all that a peer was given."""
    move_window(session, row.institute, now)
    count_given(session, row, now)


def count_given(session: WriteSession, row: PeerRow, now: int, most: int | None = None) -> int:
    """Count a peer's offers that are not counted yet, or the first ``most`` of them.

    Returns the number of offers counted.
    """
    first = row.counted
    last = row.offered if most is None else min(row.offered, first + most)
    if last <= first:
        return 0
    row.counted = last
    session.add(row)
    session.flush()

    # (1) subjects that reach substance by these offers alone: entries and counters
    _insert_entries(session, row, first, now)
    made = Entry.offer_number.between(first + 1, last)
    # an upgrade has all offers counted anew, those that were signed for too
    columns = (Entry.kind, Entry.recent, Entry.offer_number > row.receipted)
    query = select(*columns, func.count()).where(*entries_of(row.institute, "given"), made)
    changes = CounterChanges()
    for kind, recent, pending, count in session.connection().execute(query.group_by(*columns)):
        column = counter_column("given", pending=pending)
        changes.add(row.institute, kind, column, recent=recent, count=count)
    changes.write(session)

    # (2) a section that follows its header adds to what was released before
    following = _subjects_of_following_sections(session, row, first)
    update_entries(session, "given", row.institute, following, now)
    return last - first


def count_receipt(session: WriteSession, row: PeerRow, last: int, now: int) -> None:
    """Count the offers up to ``last``, for which a peer signs now, as given."""
    count_given(session, row, now, last - row.counted)

    columns = (Entry.kind, Entry.recent)
    signed = Entry.offer_number.between(row.receipted + 1, last)
    query = select(*columns, func.count()).where(*entries_of(row.institute, "given"), signed)
    changes = CounterChanges()
    for kind, recent, count in session.connection().execute(query.group_by(*columns)):
        changes.add(row.institute, kind, "pending", recent=recent, count=-count)
        changes.add(row.institute, kind, "given", recent=recent, count=count)
    changes.write(session)


def _insert_entries(session: WriteSession, row: PeerRow, first: int, now: int) -> None:
    """Insert an entry for each subject without one that counts by offers after ``first`` alone."""
    peer = row.institute
    content = content_in_offers(peer, first, row.counted)
    reached = releases_reaching_substance(content).subquery()
    offer = func.min(reached.c.offer_number).label("offer_number")
    query = select(reached.c.kind, reached.c.subject_seq, offer)
    new = query.group_by(reached.c.kind, reached.c.subject_seq).subquery()
    known = exists().where(
        *entries_of(peer, "given"),
        Entry.kind == new.c.kind,
        Entry.subject_seq == new.c.subject_seq,
    )

    values = {
        "peer": literal(peer),
        "side": literal("given"),
        "kind": new.c.kind,
        "subject_seq": new.c.subject_seq,
        "counted_time": ReleaseRow.release_time,
        "recent": ReleaseRow.release_time > now - window_of(session),
        "offer_number": new.c.offer_number,
    }
    released = (ReleaseRow.peer == peer) & (ReleaseRow.offer_number == new.c.offer_number)
    entries = select(*values.values()).select_from(new).join(ReleaseRow, released).where(~known)
    session.connection().execute(insert(Entry).from_select(list(values), entries))


def _subjects_of_following_sections(session: Session, row: PeerRow, first: int) -> list[int]:
    """Return the subjects of own records whose sections are in these offers, but not the header."""
    parts = (
        select(PartRow.record_seq)
        .join(ReleaseRow, ReleaseRow.part_id == PartRow.part_id)
        .where(*offered_between(row.institute, first, row.counted))
    )
    sections = parts.where(PartRow.content > 0)
    followed = except_(sections, parts.where(PartRow.section == HEADER)).subquery()

    query = select(RecordRow.subject_seq).where(
        RecordRow.record_seq.in_(select(followed.c.record_seq)),
        RecordRow.issuer == OWN_INSTITUTE,
    )
    return list(session.connection().execute(query.distinct()).scalars())
