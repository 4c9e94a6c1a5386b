"""This institute's own log: leaves, tiles, checkpoints and the cosignatures under them.

Checkpoints and cosignatures are kept as the bytes that were signed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column, RowNumber


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
    """One row: the size and root that this institute signed last; see ``log.checkpoints``."""

    __tablename__ = "log_head"
    # never dropped with old checkpoints: no second history may be signed (invariant 8)
    head_id: Column[int] = Field(default=1, primary_key=True)
    size: Column[int] = Field(default=0, sa_type=BigInteger)
    root: Column[str] = Field(max_length=64)
    halted: Column[str] = Field(default="", sa_type=Text)
    """Why nothing is signed any more; empty while the log is signed."""
    passed_over: Column[int] = Field(default=0, sa_type=BigInteger)
    """Checkpoints up to this size that peers share belong to a former life of the database. They do
    not halt the log again after an operator has resumed it."""


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
