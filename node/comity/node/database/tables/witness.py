"""Other institutes' logs: the checkpoints that this node holds, and the proofs that it was shown.

Checkpoints are kept as the bytes that were signed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column


class WitnessedLogRow(SQLModel, table=True):
    """The newest checkpoint of a log of another institute that was found consistent."""

    __tablename__ = "witnessed_log"
    institute: Column[str] = Field(max_length=253, primary_key=True)
    # a log and the one that was begun after it need not be consistent
    log_number: Column[int] = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    """Which of the institute's logs this is; see ``comity.record.log``."""
    size: Column[int] = Field(sa_type=BigInteger)
    root: Column[str] = Field(max_length=64)
    # kept whole: beside a contradicting one it becomes evidence
    note: Column[bytes] = Field(sa_type=LargeBinary)
    """The note as its log signed it, with the cosignatures that were under it; empty for none."""
    witnessed_time: Column[int] = Field(sa_type=BigInteger)
    halted: Column[str] = Field(default="", sa_type=Text)
    """Why this node cosigns it no more; empty while it is cosigned."""
    passed_over: Column[int] = Field(default=0, sa_type=BigInteger)
    """Checkpoints up to this size are of a former life of the log, and not held against it."""


class SightingRow(SQLModel, table=True):
    """A sighting: a checkpoint of a log that a peer has seen, if it is not the held one.

    There is one for each log and peer, the newest.
    """

    __tablename__ = "sighting"
    institute: Column[str] = Field(max_length=253, primary_key=True)
    # part of the key, so that a peer cannot fill the table (invariant 10)
    teller: Column[str] = Field(max_length=253, primary_key=True)
    """The peer that shared the checkpoint."""
    size: Column[int] = Field(sa_type=BigInteger)
    note: Column[bytes] = Field(sa_type=LargeBinary)
    told_time: Column[int] = Field(sa_type=BigInteger)
    checked: Column[bool] = Field(default=False)
    """True if the log has proved how the checkpoint fits the held one."""


class SplitViewRow(SQLModel, table=True):
    """Two checkpoints that one log signed and that contradict each other, kept as evidence."""

    __tablename__ = "split_view"
    institute: Column[str] = Field(max_length=253, primary_key=True)
    digest: Column[str] = Field(max_length=64, primary_key=True)
    """SHA-256 of ``evidence``, hex."""
    evidence: Column[bytes] = Field(sa_type=LargeBinary)
    """See ``comity.record.split_view``."""
    found_time: Column[int] = Field(sa_type=BigInteger)


class InclusionRow(SQLModel, table=True):
    """A checked proof that a peer's record stands in its issuer's log."""

    __tablename__ = "inclusion"
    record_id: Column[str] = Field(max_length=64, primary_key=True)
    log_index: Column[int] = Field(sa_type=BigInteger)
    proof: Column[bytes] = Field(sa_type=LargeBinary)
    """A tlog-proof (C2SP)."""
