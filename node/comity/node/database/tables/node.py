"""The node itself: its identity, its settings of standing, and leases on background work."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column, JsonText


class NodeRow(SQLModel, table=True):
    """One row: the institute whose database this is, and the lock that serialises writers."""

    __tablename__ = "node"
    node_id: Column[int] = Field(default=1, primary_key=True)
    institute: Column[str]
    epoch: Column[str]
    """Names this life of the database; see ``database.cursors``."""
    # every writer changes this first, which makes the row the lock of PostgreSQL
    commits: Column[int] = Field(default=0, sa_type=BigInteger)
    """Number of writing transactions, so that one read shows if anything has changed."""
    window: Column[int] = Field(default=365 * 86_400_000, sa_type=BigInteger)
    """For how many milliseconds a record counts towards standing."""
    known_keys: Column[dict[str, str]] = Field(default_factory=dict, sa_type=JsonText)
    """By file of the home, the key that it holds; see ``trust.known_keys``."""
    weights: Column[dict[str, int]] = Field(default_factory=dict, sa_type=JsonText)
    """By kind, what a record of it is worth towards every other kind; 0 for kinds left out."""


class LeaseRow(SQLModel, table=True):
    """A claim of one process on a piece of background work, until a time."""

    __tablename__ = "lease"
    name: Column[str] = Field(max_length=300, primary_key=True)
    holder: Column[str] = Field(max_length=64)
    # nobody has to give a lease back: that of a process which died runs out
    expires_time: Column[int] = Field(sa_type=BigInteger)
