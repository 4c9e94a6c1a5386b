"""The tables of a node.

Conventions: times are Unix milliseconds, UTC; ids of records and digests are lower-case hex; what
is bulky and never searched (payloads, disclosures) is kept as the bytes that came. Row numbers
(``record_seq``, ``part_id``, ``offer_number``) are assigned under the store's write lock, so that
their order is the order of commits and a watermark never skips a row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

# only a column of type INTEGER is SQLite's own row number, which saves an index
RowNumber: Any = BigInteger().with_variant(Integer, "sqlite")

HEADER = -1
"""``Part.section`` of a record's header; sections count from 0 as in the header."""


class NodeState(SQLModel, table=True):
    """One row: whose database this is, and the lock that serialises writers."""

    __tablename__ = "node"
    node_id: int = Field(default=1, primary_key=True)
    institute: str
    epoch: str
    """128 random bits, hex: names this life of the database in cursors."""
    commits: int = Field(default=0, sa_type=BigInteger)
    """Counts writing transactions, so that one look tells whether anything has changed."""
    window: int = Field(default=365 * 86_400_000, sa_type=BigInteger)
    """How long what was received and given counts towards standing, in milliseconds."""
    weights: str = Field(default="{}", sa_type=Text)
    """JSON object: what a record of a kind is worth towards every other kind."""


class RecordRow(SQLModel, table=True):
    """A record's header, as signed, and what searches need of it."""

    __tablename__ = "record"
    __table_args__ = (Index("record_by_subject_seq", "subject_seq"),)
    record_seq: int = Field(
        sa_type=RowNumber, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    record_id: str = Field(max_length=64, unique=True)
    kind: str = Field(max_length=32, index=True)
    issuer: str = Field(max_length=253)
    issue_time: int = Field(sa_type=BigInteger)
    subject_seq: int = Field(sa_type=BigInteger)
    """The first record of its issuer and kind about the same: names the subject by a number."""
    model: str = Field(sa_type=Text)
    """Lower-case subject name and model descriptor."""
    supersedes: str | None = Field(default=None, max_length=64, index=True)
    superseded: bool = False
    withdrawn: bool = False
    """By its issuer; see ``withdrawal``."""
    origin: str = Field(max_length=253)
    received_time: int = Field(sa_type=BigInteger)
    keyid: str
    signature: bytes = Field(sa_type=LargeBinary)
    payload: bytes = Field(sa_type=LargeBinary)


class RecordTag(SQLModel, table=True):
    """A tag of a record."""

    __tablename__ = "record_tag"
    tag: str = Field(max_length=256, primary_key=True)
    record_seq: int = Field(sa_type=RowNumber, primary_key=True, foreign_key="record.record_seq")


class Subject(SQLModel, table=True):
    """What an issuer's records of a kind are about: a digest or a name, and the number of both."""

    __tablename__ = "subject"
    __table_args__ = {"sqlite_with_rowid": False}
    issuer: str = Field(max_length=253, primary_key=True)
    kind: str = Field(max_length=32, primary_key=True)
    subject: str = Field(max_length=1024, primary_key=True)
    """``sha256:`` and the digest, or the name in lower case."""
    subject_seq: int = Field(sa_type=BigInteger)


class Withdrawn(SQLModel, table=True):
    """A record, held or not, that a notice of withdrawal names."""

    __tablename__ = "withdrawn"
    record_id: str = Field(max_length=64, primary_key=True)
    notice_seq: int = Field(sa_type=BigInteger, primary_key=True, foreign_key="record.record_seq")


class HandlingClass(SQLModel, table=True):
    """Parts that policy cannot tell apart; ``facts`` is what it may know of them.

    A section's class belongs to its header's class, since a section goes only where its header
    goes. ``digest`` is over both.
    """

    __tablename__ = "handling_class"
    class_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(max_length=64, unique=True)
    issuer: str = Field(max_length=253, index=True)
    facts: str = Field(sa_type=Text)
    header_class_id: int | None = Field(default=None, index=True)


class Part(SQLModel, table=True):
    """A part that is held: a record's header or one disclosed section."""

    __tablename__ = "part"
    __table_args__ = (
        UniqueConstraint("record_seq", "section"),
        Index("part_by_class", "class_id", "part_id"),
        Index("part_by_embargo", "embargo_time"),
        Index(
            "part_with_embargo",
            "record_seq",
            sqlite_where=text("embargo_time IS NOT NULL"),
            postgresql_where=text("embargo_time IS NOT NULL"),
        ),
    )
    part_id: int = Field(
        sa_type=RowNumber, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    record_seq: int = Field(sa_type=BigInteger, foreign_key="record.record_seq")
    section: int
    name: str = Field(default="", max_length=256)
    class_id: int = Field(foreign_key="handling_class.class_id")
    embargo_time: int | None = Field(default=None, sa_type=BigInteger)
    origin: str = Field(max_length=253)
    severity: int = Field(default=0, index=True)
    """Rank of the highest severity in a section; 0 is not stated."""
    content: int
    """Characters of text that count towards the record's substance; see ``standing``."""
    words: str = Field(sa_type=Text)
    """Lower-case text that search looks in."""
    size: int
    """Bytes that it takes on the wire."""
    disclosure: bytes | None = Field(default=None, sa_type=LargeBinary)


class PartDomain(SQLModel, table=True):
    """A domain that a disclosed section names."""

    __tablename__ = "part_domain"
    domain: str = Field(max_length=256, primary_key=True)
    part_id: int = Field(sa_type=RowNumber, primary_key=True, foreign_key="part.part_id")


class PeerRow(SQLModel, table=True):
    """A peer: its pinned bundle, what was agreed with it, and how far both directions are."""

    __tablename__ = "peer"
    institute: str = Field(max_length=253, primary_key=True)
    bundle: str = Field(sa_type=Text)
    fingerprint: str = Field(max_length=64)
    status: str = Field(max_length=16)
    purposes: str = Field(default="[]", sa_type=Text)
    """JSON list, as are ``groups`` and ``clearances``."""
    groups: str = Field(default="[]", sa_type=Text)
    clearances: str = Field(default="[]", sa_type=Text)
    added_time: int = Field(sa_type=BigInteger)
    offered: int = Field(default=0, sa_type=BigInteger)
    """Number of the last offer in its queue."""
    receipted: int = Field(default=0, sa_type=BigInteger)
    """Number of the last offer that it signed for."""
    counted: int = Field(default=0, sa_type=BigInteger)
    """Number of the last offer that has been counted towards standing; see ``giving``."""
    considered_part: int = Field(default=0, sa_type=BigInteger)
    """Parts up to this one have been decided on."""
    considered_time: int = Field(default=0, sa_type=BigInteger)
    """Embargoes up to this time have been acted upon."""
    decided: str = Field(default="", max_length=64)
    """Digest of the policy and the facts about the peer under which its decisions stand."""
    cursor: str = Field(default="", max_length=256)
    """Where pulling from it goes on."""
    contact_time: int | None = Field(default=None, sa_type=BigInteger)
    last_error: str = Field(default="", sa_type=Text)


class Standing(SQLModel, table=True):
    """Reciprocity with a peer, by kind: counts of the entries below.

    A plain column counts within the window, its ``_ever`` since the beginning.
    """

    __tablename__ = "standing"
    peer: str = Field(max_length=253, primary_key=True)
    kind: str = Field(max_length=32, primary_key=True)
    """Empty for what was rejected and claimed no kind."""
    received: int = Field(default=0, sa_type=BigInteger)
    received_ever: int = Field(default=0, sa_type=BigInteger)
    given: int = Field(default=0, sa_type=BigInteger)
    """Given and signed for."""
    given_ever: int = Field(default=0, sa_type=BigInteger)
    pending: int = Field(default=0, sa_type=BigInteger)
    """Released and not yet signed for."""
    pending_ever: int = Field(default=0, sa_type=BigInteger)
    rejected: int = Field(default=0, sa_type=BigInteger)
    rejected_ever: int = Field(default=0, sa_type=BigInteger)


class StandingEntry(SQLModel, table=True):
    """A subject that counts towards standing with a peer; see ``standing`` for the rule."""

    __tablename__ = "standing_entry"
    __table_args__ = (
        Index("standing_entry_by_time", "peer", "recent", "counted_time"),
        Index("standing_entry_by_offer", "peer", "side", "offer_number"),
        {"sqlite_with_rowid": False},
    )
    # numbers that grow as records do, so that new entries lie side by side
    subject_seq: int = Field(sa_type=BigInteger, primary_key=True)
    """As in ``RecordRow``; of what was rejected, ``counting.rejected_seq`` of the record's id."""
    side: str = Field(max_length=8, primary_key=True)
    """received, given or rejected."""
    peer: str = Field(max_length=253, primary_key=True)
    kind: str = Field(max_length=32, primary_key=True)
    counted_time: int = Field(sa_type=BigInteger)
    """Since when it counts."""
    recent: bool
    """Whether it is counted within the window."""
    offer_number: int = Field(default=0, sa_type=BigInteger)
    """Of what was given, the offer that made it count; it is pending until that is signed for."""


class PolicyVersion(SQLModel, table=True):
    """A policy that was put in force; the newest version is in force."""

    __tablename__ = "policy"
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(max_length=64)
    text: str = Field(sa_type=Text)
    set_time: int = Field(sa_type=BigInteger)


class TreatyRow(SQLModel, table=True):
    """A bilateral agreement that links the policy's templates; kept for ever, see ``treaties``."""

    __tablename__ = "treaty"
    treaty_id: str = Field(max_length=128, primary_key=True)
    party: str = Field(max_length=253, foreign_key="peer.institute")
    kinds: str = Field(sa_type=Text)
    """JSON list; empty for all, as is ``sections``."""
    sections: str = Field(sa_type=Text)
    start_time: int = Field(sa_type=BigInteger)
    end_time: int | None = Field(default=None, sa_type=BigInteger)
    """As agreed; None where it has no end."""
    added_time: int = Field(sa_type=BigInteger)
    ended_time: int | None = Field(default=None, sa_type=BigInteger)
    """When it was ended before its time; None where it was not."""


class Ruling(SQLModel, table=True):
    """A policy and the rules of it that decided together; named by many releases."""

    __tablename__ = "ruling"
    ruling_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(max_length=64, unique=True)
    policy_digest: str = Field(max_length=64)
    policy_version: int = Field(default=0)
    """The same text may be put in force again; 0 is that none had been."""
    rules: str = Field(sa_type=Text)
    """JSON list of rule ids."""


class Decision(SQLModel, table=True):
    """What holds now for a peer and a handling class."""

    __tablename__ = "decision"
    peer: str = Field(max_length=253, primary_key=True)
    class_id: int = Field(primary_key=True, foreign_key="handling_class.class_id")
    allowed: bool
    follows: bool
    """Of sections that are allowed while their header is not: they go to who has the header."""
    ruling_id: int = Field(foreign_key="ruling.ruling_id")
    backlog: int
    """Which of the parts that were considered may still wait; see ``decisions.Backlog``."""


class Release(SQLModel, table=True):
    """The decision to give a part to a peer, kept for ever, and its place in the queue."""

    __tablename__ = "release"
    __table_args__ = (UniqueConstraint("part_id", "peer"), {"sqlite_with_rowid": False})
    peer: str = Field(max_length=253, primary_key=True)
    offer_number: int = Field(sa_type=BigInteger, primary_key=True)
    part_id: int = Field(sa_type=BigInteger, foreign_key="part.part_id")
    ruling_id: int = Field(foreign_key="ruling.ruling_id")
    release_time: int = Field(sa_type=BigInteger)


class Gathered(SQLModel, table=True):
    """A part on its way into the queue of one peer; there is none between transactions."""

    __tablename__ = "gathered"
    number: int = Field(
        sa_type=RowNumber, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    """Counts the offers of one run of release, from 1."""
    part_id: int = Field(sa_type=BigInteger)
    ruling_id: int


class ReceiptRow(SQLModel, table=True):
    """A signed receipt: a peer's for what it was given, or ours for what a peer gave."""

    __tablename__ = "receipt"
    __table_args__ = (
        Index("receipt_by_peer", "peer", "ours", "receipt_id"),
        Index(
            "receipt_idle",
            "peer",
            "receipt_id",
            sqlite_where=text("idle = 1"),
            postgresql_where=text("idle"),
        ),
    )
    receipt_id: int = Field(
        sa_type=RowNumber, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    peer: str = Field(max_length=253)
    ours: bool
    """Signed here, for what the peer gave."""
    idle: bool = False
    """Of ours, whether it signs for nothing new; see ``own_receipts``."""
    cursor: str = Field(max_length=256)
    last_offer: int = Field(default=0, sa_type=BigInteger)
    """Last offer number that a peer's receipt covers; 0 for ours."""
    receipt_time: int = Field(sa_type=BigInteger)
    keyid: str
    signature: bytes = Field(sa_type=LargeBinary)
    payload: bytes = Field(sa_type=LargeBinary)


class Seconded(SQLModel, table=True):
    """A record that a peer gave after another; which peer was first is its ``origin``."""

    __tablename__ = "seconded"
    __table_args__ = {"sqlite_with_rowid": False}
    peer: str = Field(max_length=253, primary_key=True)
    record_seq: int = Field(sa_type=BigInteger, primary_key=True)


class Quarantine(SQLModel, table=True):
    """A record that was refused from a peer. Bounded for each peer; the oldest make room."""

    __tablename__ = "quarantine"
    peer: str = Field(max_length=253, primary_key=True)
    record_id: str = Field(max_length=64, primary_key=True)
    kind: str = Field(default="", max_length=32)
    """What it says it is; empty where that cannot be read."""
    reason: str = Field(max_length=64)
    message: str = Field(sa_type=Text)
    quarantine_time: int = Field(sa_type=BigInteger, index=True)
    count: int = Field(default=1, sa_type=BigInteger)
    record: bytes | None = Field(default=None, sa_type=LargeBinary)
    """The record as it came (comity.v1.Record), kept where it may become acceptable."""


class Lease(SQLModel, table=True):
    """Background work that one process at a time may do."""

    __tablename__ = "lease"
    name: str = Field(max_length=300, primary_key=True)
    holder: str = Field(max_length=64)
    expires_time: int = Field(sa_type=BigInteger)
