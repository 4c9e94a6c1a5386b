"""Giving: counts what was released to a peer towards its standing; ``standing`` has the rule.

Offers are counted in their order, each once; ``PeerRow.counted`` says how far. Counting may lag
behind release, so that a policy that newly allows very many parts is not held up by it. Invariants:
what a peer has signed for is counted; where policy asks for what was given, all is counted before
it is asked.
"""

from __future__ import annotations

from sqlalchemy import except_, exists, func, insert, literal, select
from sqlmodel import Session

from comity.node.database.owner import OWN_INSTITUTE
from comity.node.database.store import WriteSession
from comity.node.database.tables import HEADER, PartRow, PeerRow, RecordRow, ReleaseRow
from comity.node.database.tables import StandingEntryRow as Entry
from comity.node.policy.standing.counted_subjects import crossings, in_offers, offers
from comity.node.policy.standing.counters import (
    Counters,
    entries_of,
    move_window,
    reckon,
    window_has_moved,
)
from comity.node.policy.standing.rule import window_of


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
    _enter(session, row, first, now)
    made = (*entries_of(row.institute, "given"), Entry.offer_number.between(first + 1, last))
    # an upgrade has the offers counted anew, signed for or not
    columns = (Entry.kind, Entry.recent, Entry.offer_number > row.receipted)
    counters = Counters()
    found = select(*columns, func.count()).where(*made).group_by(*columns)
    for kind, recent, pending, count in session.connection().execute(found):
        column = "pending" if pending else "given"
        counters.add(row.institute, kind, column, recent=recent, count=count)
    counters.write(session)
    # a section that follows its header adds to what was released before
    reckon(session, "given", row.institute, _followed(session, row, first), now)
    return last - first


def is_unsettled(session: Session, row: PeerRow, now: int) -> bool:
    """Whether a peer's standing lags behind its offers, or behind the window."""
    return row.counted < row.offered or window_has_moved(session, row.institute, now)


def settle(session: WriteSession, row: PeerRow, now: int) -> None:
    """Move the window and count all that a peer was given."""
    move_window(session, row.institute, now)
    count_given(session, row, now)


def count_receipt(session: WriteSession, row: PeerRow, last: int, now: int) -> None:
    """Count offers up to ``last``, which a peer has signed for now, as given."""
    count_given(session, row, now, last - row.counted)
    columns = (Entry.kind, Entry.recent)
    signed = Entry.offer_number.between(row.receipted + 1, last)
    query = select(*columns, func.count()).where(*entries_of(row.institute, "given"), signed)
    counters = Counters()
    for kind, recent, count in session.connection().execute(query.group_by(*columns)):
        counters.add(row.institute, kind, "pending", recent=recent, count=-count)
        counters.add(row.institute, kind, "given", recent=recent, count=count)
    counters.write(session)


def _enter(session: WriteSession, row: PeerRow, first: int, now: int) -> None:
    """Make an entry of each subject that has none and counts by offers after ``first`` alone."""
    peer = row.institute
    crossed = crossings(in_offers(peer, first, row.counted)).subquery()
    offer = func.min(crossed.c.offer_number).label("offer_number")
    query = select(crossed.c.kind, crossed.c.subject_seq, offer)
    new = query.group_by(crossed.c.kind, crossed.c.subject_seq).subquery()
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


def _followed(session: Session, row: PeerRow, first: int) -> list[int]:
    """Return the subjects of own records of which sections, and no header, are in these offers."""
    parts = (
        select(PartRow.record_seq)
        .join(ReleaseRow, ReleaseRow.part_id == PartRow.part_id)
        .where(*offers(row.institute, first, row.counted))
    )
    sections = parts.where(PartRow.content > 0)
    followed = except_(sections, parts.where(PartRow.section == HEADER)).subquery()
    query = select(RecordRow.subject_seq).where(
        RecordRow.record_seq.in_(select(followed.c.record_seq)),
        RecordRow.issuer == OWN_INSTITUTE,
    )
    return list(session.connection().execute(query.distinct()).scalars())
