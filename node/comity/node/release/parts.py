"""Parts and a peer: conditions on one part, and a tally of each handling class.

Invariant: a tally is one grouped count over all parts, never a query for each class.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, exists, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session

from comity.node.database.owner import OWN_INSTITUTE
from comity.node.database.tables import HEADER, PartRow, RecordRow, ReleaseRow, StandingEntryRow
from comity.node.policy.standing.entries import entries_of


@dataclass(frozen=True, slots=True)
class Tally:
    """The number of parts of a class that a peer was given, that are due, or under embargo.

    They are counted whether policy allows them or not. ``embargo_time`` is the end of the first
    embargo, Unix time in ms.
    """

    given: int
    due: int
    embargoed: int
    embargo_time: int | None


def tally_classes(session: Session, peer: str, now: int) -> dict[int, Tally]:
    """Return the tally of each class that has parts; parts that came from the peer do not count."""
    to_peer = (ReleaseRow.part_id == PartRow.part_id) & (ReleaseRow.peer == peer)
    given = ReleaseRow.part_id.is_not(None)
    embargoed = ~given & ~is_unembargoed(now)

    query = (
        select(
            PartRow.class_id,
            func.count(ReleaseRow.part_id),
            func.sum(case((embargoed, 1), else_=0)),
            func.count(),
            func.min(case((embargoed, PartRow.embargo_time))),
        )
        .outerjoin(ReleaseRow, to_peer)
        .where(PartRow.origin != peer)
        .group_by(PartRow.class_id)
    )
    rows = session.connection().execute(query)

    return {
        class_id: Tally(given, parts - given - later, later, ends)
        for class_id, given, later, parts, ends in rows
    }


def is_unembargoed(now: int) -> ColumnElement[bool]:
    """True if a ``PartRow`` is under no embargo at ``now``, Unix time in ms."""
    # not an OR, which SQLite would answer by a walk along the embargoes
    return func.coalesce(PartRow.embargo_time, 0) <= now


def has_header(peer: str) -> ColumnElement[bool]:
    """True if the peer was given the header of a ``PartRow``, or gave it to this node."""
    header = aliased(PartRow)
    given = exists().where(ReleaseRow.part_id == header.part_id, ReleaseRow.peer == peer)
    return exists().where(
        header.record_seq == PartRow.record_seq,
        header.section == HEADER,
        or_(header.origin == peer, given),
    )


def is_correction(peer: str) -> ColumnElement[bool]:
    """True if the record of a ``PartRow`` is a new version of what the peer already has.

    It supersedes a record of this institute, and its subject counts as given to the peer.
    """
    counts = exists().where(
        *entries_of(peer, "given"),
        StandingEntryRow.kind == RecordRow.kind,
        StandingEntryRow.subject_seq == RecordRow.subject_seq,
    )
    # a set, so that the database begins at the few corrections and not at all parts; SQLite looks
    # for text above the empty one in the index, and for what is not NULL in all rows
    corrections = select(RecordRow.record_seq).where(
        RecordRow.supersedes > "", RecordRow.issuer == OWN_INSTITUTE, counts
    )
    return PartRow.record_seq.in_(corrections)


def is_known_section(peer: str) -> ColumnElement[bool]:
    """True if the peer has a section with the name of a ``PartRow``, of the same subject.

    A correction brings no section that was withheld before.
    """
    record, other, before = aliased(RecordRow), aliased(RecordRow), aliased(PartRow)
    # nested, so that SQLite begins at the subject and not at all that the peer was given
    given = exists().where(ReleaseRow.part_id == before.part_id, ReleaseRow.peer == peer)
    named = (
        exists()
        .where(
            before.record_seq == other.record_seq,
            before.section != HEADER,
            before.name == PartRow.name,
            given.correlate(before),
        )
        .correlate(other, PartRow)
    )
    subject = select(record.subject_seq).where(record.record_seq == PartRow.record_seq)
    same = other.subject_seq == subject.correlate(PartRow).scalar_subquery()
    return exists().where(same, named).correlate(PartRow)


def is_given(peer: str) -> ColumnElement[bool]:
    """True if a ``PartRow`` has been released to the peer."""
    return exists().where(ReleaseRow.part_id == PartRow.part_id, ReleaseRow.peer == peer)
