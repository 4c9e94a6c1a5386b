"""Other institutes' logs: what this node has seen of them, and what they proved.

Checkpoints are kept as the bytes that were signed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column


class WitnessedLogRow(SQLModel, table=True):
    """The newest checkpoint of another institute's log that was found consistent."""

    __tablename__ = "witnessed_log"
    institute: Column[str] = Field(max_length=253, primary_key=True)
    size: Column[int] = Field(sa_type=BigInteger)
    root: Column[str] = Field(max_length=64)
    note: Column[bytes] = Field(sa_type=LargeBinary)
    """As its log signed it, with the cosignatures that were on it."""
    witnessed_time: Column[int] = Field(sa_type=BigInteger)
    halted: Column[str] = Field(default="", sa_type=Text)
    """Why it is not cosigned any more; empty where all is well."""
    passed_over: Column[int] = Field(default=0, sa_type=BigInteger)
    """Size up to which checkpoints of a former life are not held against it; see ``halting``."""


class SightingRow(SQLModel, table=True):
    """The newest checkpoint of another's log that a peer told of and that is not the held one."""

    __tablename__ = "sighting"
    institute: Column[str] = Field(max_length=253, primary_key=True)
    teller: Column[str] = Field(max_length=253, primary_key=True)
    """The peer that told: each peer keeps one place for each log."""
    size: Column[int] = Field(sa_type=BigInteger)
    note: Column[bytes] = Field(sa_type=LargeBinary)
    told_time: Column[int] = Field(sa_type=BigInteger)
    checked: Column[bool] = Field(default=False)
    """Whether that log has shown how it fits into what is held."""


class SplitViewRow(SQLModel, table=True):
    """Two checkpoints that one log signed and that contradict each other: evidence, kept."""

    __tablename__ = "split_view"
    institute: Column[str] = Field(max_length=253, primary_key=True)
    digest: Column[str] = Field(max_length=64, primary_key=True)
    """SHA-256 of ``evidence``, hex."""
    evidence: Column[bytes] = Field(sa_type=LargeBinary)
    """See ``comity.record.split_view``."""
    found_time: Column[int] = Field(sa_type=BigInteger)


class InclusionRow(SQLModel, table=True):
    """That a peer's record stands in its issuer's log, as it was shown to us."""

    __tablename__ = "inclusion"
    record_id: Column[str] = Field(max_length=64, primary_key=True)
    log_index: Column[int] = Field(sa_type=BigInteger)
    proof: Column[bytes] = Field(sa_type=LargeBinary)
    """A tlog-proof (C2SP)."""
