"""This institute's own log: leaves, tiles, checkpoints and the cosignatures under them.

Checkpoints and cosignatures are kept as the bytes that were signed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column, RowNumber
from comity.record.log import FIRST_LOG


class LogEntryRow(SQLModel, table=True):
    """A leaf of this institute's log, appended together with its record or root."""

    __tablename__ = "log_entry"
    log_index: Column[int] = Field(
        sa_type=RowNumber, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    # a record is logged once, however often it is published (invariant 5)
    record_id: Column[str] = Field(max_length=64, unique=True)
    """The record's id, or for a root the SHA-256 of its signed bytes, hex."""
    leaf: Column[bytes] = Field(sa_type=LargeBinary)


class LogTileRow(SQLModel, table=True):
    """Up to 256 hashes of one level (C2SP tlog-tiles); the last one grows until it is full."""

    __tablename__ = "log_tile"
    level: Column[int] = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    position: Column[int] = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    hashes: Column[bytes] = Field(sa_type=LargeBinary)
    """32 bytes each."""


class LogHeadRow(SQLModel, table=True):
    """One row: the size and root that this institute signed last; see ``log.head``."""

    __tablename__ = "log_head"
    # never dropped with old checkpoints: no second history may be signed (invariant 8)
    head_id: Column[int] = Field(default=1, primary_key=True)
    log_number: Column[int] = Field(default=FIRST_LOG, sa_type=BigInteger)
    """Which of the institute's logs this is; see ``comity.record.log``."""
    size: Column[int] = Field(default=0, sa_type=BigInteger)
    root: Column[str] = Field(max_length=64)
    halted: Column[str] = Field(default="", sa_type=Text)
    """Why nothing is signed any more; empty while the log is signed."""
    used_number: Column[int] = Field(default=FIRST_LOG, sa_type=BigInteger)
    """Keys of logs up to this number may have signed in a life of the database that is lost."""
    told_size: Column[int] = Field(default=0, sa_type=BigInteger)
    """Size of the largest checkpoint that a peer holds and this log lacks; 0 if none."""


class ClosedLogRow(SQLModel, table=True):
    """A former log of this institute, in whose name nothing is signed any more."""

    __tablename__ = "closed_log"
    log_number: Column[int] = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    size: Column[int] = Field(sa_type=BigInteger)
    """Leaves that it had signed, as far as this database knows."""
    root: Column[str] = Field(max_length=64)
    note: Column[bytes] = Field(sa_type=LargeBinary)
    """Its newest checkpoint with cosignatures, as far as this database knows; empty for none."""
    told_size: Column[int] = Field(sa_type=BigInteger)
    """As in ``LogHeadRow``."""
    halted: Column[str] = Field(sa_type=Text)
    """Why it was halted."""
    closed_time: Column[int] = Field(sa_type=BigInteger)


class CheckpointRow(SQLModel, table=True):
    """A checkpoint of this institute's log; old ones are dropped, see ``log.checkpoints``."""

    __tablename__ = "checkpoint"
    size: Column[int] = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    note: Column[bytes] = Field(sa_type=LargeBinary)
    signed_time: Column[int] = Field(sa_type=BigInteger)


class CosignatureRow(SQLModel, table=True):
    """A witness's line under a checkpoint of this institute's log."""

    __tablename__ = "cosignature"
    size: Column[int] = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    witness: Column[str] = Field(max_length=300, primary_key=True)
    """The witness key: its name, ``+`` and its key id, 8 hex digits."""
    line: Column[bytes] = Field(sa_type=LargeBinary)
    """The signature line of the note, with its line feed."""
    cosigned_time: Column[int] = Field(sa_type=BigInteger)
