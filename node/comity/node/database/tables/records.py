"""Records and their parts."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column, RowNumber
from comity.record.envelope import STATEMENT_TYPE, Envelope

HEADER = -1
"""``PartRow.section`` of a record's header; sections count from 0 as in the header."""


class RecordRow(SQLModel, table=True):
    """A record: its header as signed, and values of it that queries use."""

    __tablename__ = "record"
    __table_args__ = (Index("record_by_subject_seq", "subject_seq"),)
    record_seq: Column[int] = Field(
        sa_type=RowNumber, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    record_id: Column[str] = Field(max_length=64, unique=True)
    kind: Column[str] = Field(max_length=32, index=True)
    issuer: Column[str] = Field(max_length=253)
    issue_time: Column[int] = Field(sa_type=BigInteger)
    subject_seq: Column[int] = Field(sa_type=BigInteger)
    """Names the subject: the row number of the issuer's first record of this kind about it."""
    supersedes: Column[str | None] = Field(default=None, max_length=64, index=True)
    superseded: Column[bool] = Field(default=False)
    withdrawn: Column[bool] = Field(default=False)
    """True if its issuer has withdrawn it; see ``records.withdrawal``."""
    origin: Column[str] = Field(max_length=253)
    received_time: Column[int] = Field(sa_type=BigInteger)
    keyid: Column[str]
    signature: Column[bytes] = Field(sa_type=LargeBinary)
    # the exact bytes that were signed, never encoded anew (invariant 3)
    payload: Column[bytes] = Field(sa_type=LargeBinary)

    @property
    def envelope(self) -> Envelope:
        """The signed statement, as it came."""
        return Envelope(STATEMENT_TYPE, self.payload, self.keyid, self.signature)


class RecordTagRow(SQLModel, table=True):
    """A tag of a record."""

    __tablename__ = "record_tag"
    tag: Column[str] = Field(max_length=256, primary_key=True)
    record_seq: Column[int] = Field(
        sa_type=RowNumber, primary_key=True, foreign_key="record.record_seq"
    )


class SubjectRow(SQLModel, table=True):
    """A subject of an issuer's records of a kind: a digest or a name, and the subject's number."""

    __tablename__ = "subject"
    __table_args__ = {"sqlite_with_rowid": False}
    issuer: Column[str] = Field(max_length=253, primary_key=True)
    kind: Column[str] = Field(max_length=32, primary_key=True)
    subject: Column[str] = Field(max_length=71, primary_key=True)
    """``sha256:`` and the digest, or ``name:`` and the SHA-256 of the name in lower case."""
    subject_seq: Column[int] = Field(sa_type=BigInteger)


class WithdrawnRow(SQLModel, table=True):
    """A record, held or not, that a notice of withdrawal names."""

    __tablename__ = "withdrawn"
    # no foreign key: a notice may come before the record that it names
    record_id: Column[str] = Field(max_length=64, primary_key=True)
    notice_seq: Column[int] = Field(
        sa_type=BigInteger, primary_key=True, foreign_key="record.record_seq"
    )


class PartRow(SQLModel, table=True):
    """A part that is held: a record's header or one disclosed section."""

    __tablename__ = "part"
    __table_args__ = (
        # a part is stored once, from whichever peer it comes (invariant 5)
        UniqueConstraint("record_seq", "section"),
        Index("part_by_class", "class_id", "part_id"),
        Index("part_by_embargo", "embargo_time"),
        # what release walks through, without the contents in between
        Index("part_for_release", "part_id", "class_id", "embargo_time", "origin"),
        Index(
            "part_with_embargo",
            "record_seq",
            sqlite_where=text("embargo_time IS NOT NULL"),
            postgresql_where=text("embargo_time IS NOT NULL"),
        ),
    )
    part_id: Column[int] = Field(
        sa_type=RowNumber, primary_key=True, sa_column_kwargs={"autoincrement": False}
    )
    record_seq: Column[int] = Field(sa_type=BigInteger, foreign_key="record.record_seq")
    section: Column[int]
    name: Column[str] = Field(default="", max_length=256)
    class_id: Column[int] = Field(foreign_key="handling_class.class_id")
    embargo_time: Column[int | None] = Field(default=None, sa_type=BigInteger)
    origin: Column[str] = Field(max_length=253)
    content: Column[int]
    """Characters that count towards the record's substance; see ``policy.standing.rule``."""
    size: Column[int]
    """Bytes of the part on the wire."""
    disclosure: Column[bytes | None] = Field(default=None, sa_type=LargeBinary)


class SecondedRow(SQLModel, table=True):
    """A record that a peer gave after another peer had; the first is the record's ``origin``."""

    __tablename__ = "seconded"
    __table_args__ = {"sqlite_with_rowid": False}
    peer: Column[str] = Field(max_length=253, primary_key=True)
    record_seq: Column[int] = Field(sa_type=BigInteger, primary_key=True)
