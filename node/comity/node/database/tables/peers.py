"""Peers: their terms and progress, the receipts between them and this node, and refused records."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column, JsonText, RowNumber
from comity.record.envelope import RECEIPT_TYPE, Envelope

WAITING = "waiting"
"""State of a record that is taken once it becomes acceptable; see ``records.quarantine``."""

REFUSED = "refused"
"""State of a record that is never taken as it is."""


class PeerRow(SQLModel, table=True):
    """A peer: its pinned bundle, the terms agreed with it, and the progress in both directions."""

    __tablename__ = "peer"
    institute: Column[str] = Field(max_length=253, primary_key=True)
    bundle: Column[str] = Field(sa_type=Text)
    fingerprint: Column[str] = Field(max_length=64)
    # a removed peer keeps its row: it has a ledger, and is owed withdrawals (invariant 7)
    status: Column[str] = Field(max_length=16)
    purposes: Column[list[str]] = Field(default_factory=list, sa_type=JsonText)
    groups: Column[list[str]] = Field(default_factory=list, sa_type=JsonText)
    clearances: Column[list[str]] = Field(default_factory=list, sa_type=JsonText)
    added_time: Column[int] = Field(sa_type=BigInteger)
    offered: Column[int] = Field(default=0, sa_type=BigInteger)
    """Number of the last offer in its queue."""
    receipted: Column[int] = Field(default=0, sa_type=BigInteger)
    """Number of the last offer that it signed for."""
    counted: Column[int] = Field(default=0, sa_type=BigInteger)
    """Number of the last offer that counts towards standing; see ``policy.standing.given``."""
    considered_part: Column[int] = Field(default=0, sa_type=BigInteger)
    """Release has decided on the parts up to this one."""
    considered_time: Column[int] = Field(default=0, sa_type=BigInteger)
    """Release has looked at the embargoes up to this time."""
    decided: Column[str] = Field(default="", max_length=64)
    """Digest of the policy and the facts about the peer under which its decisions stand."""
    # advances in the transaction that stores what it covers, so nothing is skipped (invariant 2)
    cursor: Column[str] = Field(default="", max_length=256)
    """The cursor from which this node goes on pulling."""
    quota_day: Column[int] = Field(default=0)
    """The day, in days since 1970-01-01 UTC, on which the next two were taken from the peer."""
    quota_records: Column[int] = Field(default=0, sa_type=BigInteger)
    quota_bytes: Column[int] = Field(default=0, sa_type=BigInteger)
    quota_until: Column[int | None] = Field(default=None, sa_type=BigInteger)
    """The time until which nothing was to be taken when a batch was counted last; None if none."""
    paused_until: Column[int | None] = Field(default=None, sa_type=BigInteger)
    """The time until which the peer said that it takes nothing more from this node."""
    clock_skew: Column[int | None] = Field(default=None, sa_type=BigInteger)
    """Milliseconds by which its clock is ahead of this node's, at least; None if never told."""
    contact_time: Column[int | None] = Field(default=None, sa_type=BigInteger)
    last_error: Column[str] = Field(default="", sa_type=Text)


class ReceiptRow(SQLModel, table=True):
    """A signed receipt, by a peer for what it was given, or by this node for what it took."""

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
    receipt_id: Column[int] = Field(
        sa_type=RowNumber, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    peer: Column[str] = Field(max_length=253)
    ours: Column[bool]
    """True if this node signed it."""
    idle: Column[bool] = Field(default=False)
    """True if this node signed it and it covers nothing new; see ``replication.own_receipts``."""
    cursor: Column[str] = Field(max_length=256)
    last_offer: Column[int] = Field(default=0, sa_type=BigInteger)
    """Last offer number that a peer's receipt covers; 0 if this node signed it."""
    receipt_time: Column[int] = Field(sa_type=BigInteger)
    keyid: Column[str]
    signature: Column[bytes] = Field(sa_type=LargeBinary)
    payload: Column[bytes] = Field(sa_type=LargeBinary)

    @property
    def envelope(self) -> Envelope:
        """The signed receipt, as it came."""
        return Envelope(RECEIPT_TYPE, self.payload, self.keyid, self.signature)


class QuarantineRow(SQLModel, table=True):
    """A record of a peer that was not taken; see ``records.quarantine``."""

    __tablename__ = "quarantine"
    peer: Column[str] = Field(max_length=253, primary_key=True)
    record_id: Column[str] = Field(max_length=64, primary_key=True)
    kind: Column[str] = Field(default="", max_length=32)
    """The kind that the record claims; empty if that cannot be read."""
    state: Column[str] = Field(max_length=8)
    """WAITING or REFUSED."""
    reason: Column[str] = Field(max_length=64)
    message: Column[str] = Field(sa_type=Text)
    first_time: Column[int] = Field(sa_type=BigInteger)
    """The time at which the record came first."""
    quarantine_time: Column[int] = Field(sa_type=BigInteger, index=True)
    """The time at which it came last, or was given up."""
    count: Column[int] = Field(default=1, sa_type=BigInteger)
    next_try_time: Column[int | None] = Field(default=None, sa_type=BigInteger, index=True)
    """The time at which a waiting record is tried again at the latest; None if refused."""
    record: Column[bytes | None] = Field(default=None, sa_type=LargeBinary)
    """The record as it came (comity.v1.Record) while it waits; None if refused."""


class NotStoredRow(SQLModel, table=True):
    """A record that was given to a peer, which by its last word about it did not store it."""

    __tablename__ = "not_stored"
    __table_args__ = {"sqlite_with_rowid": False}
    peer: Column[str] = Field(max_length=253, primary_key=True)
    record_id: Column[str] = Field(max_length=64, primary_key=True)
    state: Column[str] = Field(max_length=8)
    """WAITING or REFUSED, at the peer."""
    reason: Column[str] = Field(max_length=256)
    receipt_time: Column[int] = Field(sa_type=BigInteger)
    """The time at which the peer's word arrived."""
