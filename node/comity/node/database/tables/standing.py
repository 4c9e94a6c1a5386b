"""Standing: counters, and the subjects that they count; see ``policy.standing.rule``."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column


class StandingRow(SQLModel, table=True):
    """Reciprocity with a peer, by kind: counts of the entries below.

    A plain column counts within the window, its ``_ever`` since the beginning.
    """

    __tablename__ = "standing"
    peer: Column[str] = Field(max_length=253, primary_key=True)
    kind: Column[str] = Field(max_length=32, primary_key=True)
    """Empty for rejected records that claimed no kind."""
    # counted here, since decisions read them far more often than they change
    received: Column[int] = Field(default=0, sa_type=BigInteger)
    received_ever: Column[int] = Field(default=0, sa_type=BigInteger)
    given: Column[int] = Field(default=0, sa_type=BigInteger)
    """Given, and signed for by the peer."""
    given_ever: Column[int] = Field(default=0, sa_type=BigInteger)
    pending: Column[int] = Field(default=0, sa_type=BigInteger)
    """Released and not yet signed for."""
    pending_ever: Column[int] = Field(default=0, sa_type=BigInteger)
    rejected: Column[int] = Field(default=0, sa_type=BigInteger)
    rejected_ever: Column[int] = Field(default=0, sa_type=BigInteger)


class StandingEntryRow(SQLModel, table=True):
    """A subject that counts towards standing with a peer."""

    __tablename__ = "standing_entry"
    __table_args__ = (
        Index("standing_entry_by_time", "peer", "recent", "counted_time"),
        Index("standing_entry_by_offer", "peer", "side", "offer_number"),
        {"sqlite_with_rowid": False},
    )
    # numbers that grow as records do, so that new entries lie side by side
    subject_seq: Column[int] = Field(sa_type=BigInteger, primary_key=True)
    """As in ``RecordRow``; for a rejected record ``counted_subjects.rejected_seq`` of its id."""
    side: Column[str] = Field(max_length=8, primary_key=True)
    """``received``, ``given`` or ``rejected``."""
    peer: Column[str] = Field(max_length=253, primary_key=True)
    kind: Column[str] = Field(max_length=32, primary_key=True)
    counted_time: Column[int] = Field(sa_type=BigInteger)
    """The time from which it counts."""
    recent: Column[bool]
    """True while it is counted within the window."""
    offer_number: Column[int] = Field(default=0, sa_type=BigInteger)
    """If given, the offer that made it count; it is pending until that offer is signed for."""
