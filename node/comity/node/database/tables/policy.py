"""Policies, treaties, handling classes, and the decisions made about them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column, JsonText


class PolicyVersionRow(SQLModel, table=True):
    """A policy that was put in force; the newest version is in force."""

    __tablename__ = "policy"
    version: Column[int] = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: Column[str] = Field(max_length=64)
    text: Column[str] = Field(sa_type=Text)
    set_time: Column[int] = Field(sa_type=BigInteger)


class TreatyRow(SQLModel, table=True):
    """A bilateral agreement that links the policy's templates; kept for ever, see ``treaties``."""

    __tablename__ = "treaty"
    treaty_id: Column[str] = Field(max_length=128, primary_key=True)
    party: Column[str] = Field(max_length=253, foreign_key="peer.institute")
    kinds: Column[list[str]] = Field(sa_type=JsonText)
    """Empty for all, as is ``sections``."""
    sections: Column[list[str]] = Field(sa_type=JsonText)
    start_time: Column[int] = Field(sa_type=BigInteger)
    end_time: Column[int | None] = Field(default=None, sa_type=BigInteger)
    """As agreed; None where it has no end."""
    added_time: Column[int] = Field(sa_type=BigInteger)
    ended_time: Column[int | None] = Field(default=None, sa_type=BigInteger)
    """When it was ended before its time; None where it was not."""


class HandlingClassRow(SQLModel, table=True):
    """Parts that policy cannot tell apart; ``facts`` is what it may know of them.

    A section's class belongs to its header's class, since a section goes only where its header
    goes. ``digest`` is over both.
    """

    __tablename__ = "handling_class"
    class_id: Column[int] = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: Column[str] = Field(max_length=64, unique=True)
    issuer: Column[str] = Field(max_length=253, index=True)
    facts: Column[str] = Field(sa_type=Text)
    header_class_id: Column[int | None] = Field(default=None, index=True)


class RulingRow(SQLModel, table=True):
    """A policy and the rules of it that decided together; named by many releases."""

    __tablename__ = "ruling"
    ruling_id: Column[int] = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: Column[str] = Field(max_length=64, unique=True)
    policy_digest: Column[str] = Field(max_length=64)
    policy_version: Column[int] = Field(default=0)
    """The same text may be put in force again; 0 is that none had been."""
    rules: Column[list[str]] = Field(sa_type=JsonText)
    """The ids of the rules."""


class DecisionRow(SQLModel, table=True):
    """What holds now for a peer and a handling class."""

    __tablename__ = "decision"
    peer: Column[str] = Field(max_length=253, primary_key=True)
    class_id: Column[int] = Field(primary_key=True, foreign_key="handling_class.class_id")
    allowed: Column[bool]
    follows: Column[bool]
    """Of sections that are allowed while their header is not: they go to who has the header."""
    ruling_id: Column[int] = Field(foreign_key="ruling.ruling_id")
    backlog: Column[int]
    """Which of the parts that were considered may still wait; see ``decisions.Backlog``."""
