"""This institute's own log: leaves, tiles, checkpoints and the cosignatures under them.

Checkpoints and cosignatures are kept as the bytes that were signed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column, RowNumber


class LogEntryRow(SQLModel, table=True):
    """A leaf of this institute's log, appended in the transaction that stores what it is of."""

    __tablename__ = "log_entry"
    log_index: Column[int] = Field(
        sa_type=RowNumber, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    record_id: Column[str] = Field(max_length=64, unique=True)
    """SHA-256 of what was signed, hex: a record's id, or the digest of a root."""
    leaf: Column[bytes] = Field(sa_type=LargeBinary)


class LogTileRow(SQLModel, table=True):
    """Up to 256 hashes of this institute's log; the last tile of a level grows until it is full."""

    __tablename__ = "log_tile"
    level: Column[int] = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    position: Column[int] = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    hashes: Column[bytes] = Field(sa_type=LargeBinary)
    """32 bytes each."""


class LogHeadRow(SQLModel, table=True):
    """One row: what this institute's log key signed last; see ``signer``."""

    __tablename__ = "log_head"
    head_id: Column[int] = Field(default=1, primary_key=True)
    size: Column[int] = Field(default=0, sa_type=BigInteger)
    root: Column[str] = Field(max_length=64)
    halted: Column[str] = Field(default="", sa_type=Text)
    """Why nothing is signed any more; empty where all is well."""
    passed_over: Column[int] = Field(default=0, sa_type=BigInteger)
    """Size up to which checkpoints of a former life that peers tell of are known, so that they do
    not halt it again once it was resumed."""


class CheckpointRow(SQLModel, table=True):
    """A checkpoint of this institute's log, as signed; old ones are dropped, see ``signer``."""

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
    """Name in the witness's verifier key."""
    line: Column[bytes] = Field(sa_type=LargeBinary)
    """The signature line of the note, with its line feed."""
    cosigned_time: Column[int] = Field(sa_type=BigInteger)
