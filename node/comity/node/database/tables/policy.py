"""Policies, treaties, handling classes, and the decisions made about them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlmodel import Field, SQLModel


class PolicyVersionRow(SQLModel, table=True):
    """A policy that was put in force; the newest version is in force."""

    __tablename__ = "policy"
    version: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(max_length=64)
    text: str = Field(sa_type=Text)
    set_time: int = Field(sa_type=BigInteger)


class TreatyRow(SQLModel, table=True):
    """A bilateral agreement that links the policy's templates; kept for ever, see ``treaties``."""

    __tablename__ = "treaty"
    treaty_id: str = Field(max_length=128, primary_key=True)
    party: str = Field(max_length=253, foreign_key="peer.institute")
    kinds: str = Field(sa_type=Text)
    """JSON list; empty for all, as is ``sections``."""
    sections: str = Field(sa_type=Text)
    start_time: int = Field(sa_type=BigInteger)
    end_time: int | None = Field(default=None, sa_type=BigInteger)
    """As agreed; None where it has no end."""
    added_time: int = Field(sa_type=BigInteger)
    ended_time: int | None = Field(default=None, sa_type=BigInteger)
    """When it was ended before its time; None where it was not."""


class HandlingClassRow(SQLModel, table=True):
    """Parts that policy cannot tell apart; ``facts`` is what it may know of them.

    A section's class belongs to its header's class, since a section goes only where its header
    goes. ``digest`` is over both.
    """

    __tablename__ = "handling_class"
    class_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(max_length=64, unique=True)
    issuer: str = Field(max_length=253, index=True)
    facts: str = Field(sa_type=Text)
    header_class_id: int | None = Field(default=None, index=True)


class RulingRow(SQLModel, table=True):
    """A policy and the rules of it that decided together; named by many releases."""

    __tablename__ = "ruling"
    ruling_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: str = Field(max_length=64, unique=True)
    policy_digest: str = Field(max_length=64)
    policy_version: int = Field(default=0)
    """The same text may be put in force again; 0 is that none had been."""
    rules: str = Field(sa_type=Text)
    """JSON list of rule ids."""


class DecisionRow(SQLModel, table=True):
    """What holds now for a peer and a handling class."""

    __tablename__ = "decision"
    peer: str = Field(max_length=253, primary_key=True)
    class_id: int = Field(primary_key=True, foreign_key="handling_class.class_id")
    allowed: bool
    follows: bool
    """Of sections that are allowed while their header is not: they go to who has the header."""
    ruling_id: int = Field(foreign_key="ruling.ruling_id")
    backlog: int
    """Which of the parts that were considered may still wait; see ``decisions.Backlog``."""
