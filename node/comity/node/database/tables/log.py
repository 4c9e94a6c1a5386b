"""Tables of the log, of witnessing, and of the chains of roots.

Conventions as in ``comity.node.database.tables``. Notes (checkpoints, cosignatures) and roots are
kept as the bytes that were signed.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import RowNumber


class LogEntry(SQLModel, table=True):
    """A leaf of this institute's log, appended in the transaction that stores what it is of."""

    __tablename__ = "log_entry"
    log_index: int = Field(
        sa_type=RowNumber, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    record_id: str = Field(max_length=64, unique=True)
    """SHA-256 of what was signed, hex: a record's id, or the digest of a root."""
    leaf: bytes = Field(sa_type=LargeBinary)


class LogTile(SQLModel, table=True):
    """Up to 256 hashes of this institute's log; the last tile of a level grows until it is full."""

    __tablename__ = "log_tile"
    level: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    position: int = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    hashes: bytes = Field(sa_type=LargeBinary)
    """32 bytes each."""


class LogHead(SQLModel, table=True):
    """One row: what this institute's log key signed last; see ``signer``."""

    __tablename__ = "log_head"
    head_id: int = Field(default=1, primary_key=True)
    size: int = Field(default=0, sa_type=BigInteger)
    root: str = Field(max_length=64)
    halted: str = Field(default="", sa_type=Text)
    """Why nothing is signed any more; empty where all is well."""
    passed_over: int = Field(default=0, sa_type=BigInteger)
    """Size up to which checkpoints of a former life that peers tell of are known, so that they do
    not halt it again once it was resumed."""


class Checkpoint(SQLModel, table=True):
    """A checkpoint of this institute's log, as signed; old ones are dropped, see ``signer``."""

    __tablename__ = "checkpoint"
    size: int = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    note: bytes = Field(sa_type=LargeBinary)
    signed_time: int = Field(sa_type=BigInteger)


class Cosignature(SQLModel, table=True):
    """A witness's line under a checkpoint of this institute's log."""

    __tablename__ = "cosignature"
    size: int = Field(
        sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    witness: str = Field(max_length=300, primary_key=True)
    """Name in the witness's verifier key."""
    line: bytes = Field(sa_type=LargeBinary)
    """The signature line of the note, with its line feed."""
    cosigned_time: int = Field(sa_type=BigInteger)


class WitnessedLog(SQLModel, table=True):
    """The newest checkpoint of another institute's log that was found consistent."""

    __tablename__ = "witnessed_log"
    institute: str = Field(max_length=253, primary_key=True)
    size: int = Field(sa_type=BigInteger)
    root: str = Field(max_length=64)
    note: bytes = Field(sa_type=LargeBinary)
    """As its log signed it, with the cosignatures that were on it."""
    witnessed_time: int = Field(sa_type=BigInteger)
    halted: str = Field(default="", sa_type=Text)
    """Why it is not cosigned any more; empty where all is well."""
    passed_over: int = Field(default=0, sa_type=BigInteger)
    """Size up to which checkpoints of a former life are not held against it; see ``halting``."""


class Sighting(SQLModel, table=True):
    """The newest checkpoint of another's log that a peer told of and that is not the held one."""

    __tablename__ = "sighting"
    institute: str = Field(max_length=253, primary_key=True)
    teller: str = Field(max_length=253, primary_key=True)
    """The peer that told: each peer keeps one place for each log."""
    size: int = Field(sa_type=BigInteger)
    note: bytes = Field(sa_type=LargeBinary)
    told_time: int = Field(sa_type=BigInteger)
    checked: bool = False
    """Whether that log has shown how it fits into what is held."""


class SplitView(SQLModel, table=True):
    """Two checkpoints that one log signed and that contradict each other: evidence, kept."""

    __tablename__ = "split_view"
    institute: str = Field(max_length=253, primary_key=True)
    digest: str = Field(max_length=64, primary_key=True)
    """SHA-256 of ``evidence``, hex."""
    evidence: bytes = Field(sa_type=LargeBinary)
    """See ``comity.record.split_view``."""
    found_time: int = Field(sa_type=BigInteger)


class Inclusion(SQLModel, table=True):
    """That a peer's record stands in its issuer's log, as it was shown to us."""

    __tablename__ = "inclusion"
    record_id: str = Field(max_length=64, primary_key=True)
    log_index: int = Field(sa_type=BigInteger)
    proof: bytes = Field(sa_type=LargeBinary)
    """A tlog-proof (C2SP)."""


class RootVersion(SQLModel, table=True):
    """One version of an institute's root, ours or a peer's; the chain is kept whole."""

    __tablename__ = "root_version"
    institute: str = Field(max_length=253, primary_key=True)
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    document: bytes = Field(sa_type=LargeBinary)
    """TUF metadata as it came."""
    accepted_time: int = Field(sa_type=BigInteger)


class Alarm(SQLModel, table=True):
    """Something that an operator has to look at; kept until it is cleared."""

    __tablename__ = "alarm"
    institute: str = Field(max_length=253, primary_key=True)
    """Whom it is about; may be this institute."""
    reason: str = Field(max_length=64, primary_key=True)
    """Such as SPLIT_VIEW, LOG_ROLLED_BACK or ROOT_REFUSED."""
    message: str = Field(sa_type=Text)
    first_time: int = Field(sa_type=BigInteger)
    last_time: int = Field(sa_type=BigInteger)
    count: int = Field(default=1, sa_type=BigInteger)
