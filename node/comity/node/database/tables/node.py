"""The node itself: whose database this is, and which process does its background work."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column, JsonText


class NodeRow(SQLModel, table=True):
    """One row: whose database this is, and the lock that serialises writers."""

    __tablename__ = "node"
    node_id: Column[int] = Field(default=1, primary_key=True)
    institute: Column[str]
    epoch: Column[str]
    """128 random bits, hex: names this life of the database in cursors."""
    commits: Column[int] = Field(default=0, sa_type=BigInteger)
    """Counts writing transactions, so that one look tells whether anything has changed."""
    window: Column[int] = Field(default=365 * 86_400_000, sa_type=BigInteger)
    """How long what was received and given counts towards standing, in milliseconds."""
    weights: Column[dict[str, int]] = Field(default_factory=dict, sa_type=JsonText)
    """What a record of a kind is worth towards every other kind."""


class LeaseRow(SQLModel, table=True):
    """Background work that one process at a time may do."""

    __tablename__ = "lease"
    name: Column[str] = Field(max_length=300, primary_key=True)
    holder: Column[str] = Field(max_length=64)
    expires_time: Column[int] = Field(sa_type=BigInteger)
