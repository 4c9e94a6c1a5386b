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
    # kept for ever, since releases name its digest
    text: Column[str] = Field(sa_type=Text)
    name: Column[str] = Field(default="", max_length=256)
    """The preset or file that it came from; empty if it came from neither."""
    set_time: Column[int] = Field(sa_type=BigInteger)


class TreatyRow(SQLModel, table=True):
    """A treaty with one peer, which links the policy's templates; kept for ever."""

    __tablename__ = "treaty"
    treaty_id: Column[str] = Field(max_length=128, primary_key=True)
    party: Column[str] = Field(max_length=253, foreign_key="peer.institute")
    kinds: Column[list[str]] = Field(sa_type=JsonText)
    """The kinds it covers; empty for all. So with ``sections``."""
    sections: Column[list[str]] = Field(sa_type=JsonText)
    start_time: Column[int] = Field(sa_type=BigInteger)
    end_time: Column[int | None] = Field(default=None, sa_type=BigInteger)
    """The end as agreed; None if it has no end."""
    added_time: Column[int] = Field(sa_type=BigInteger)
    ended_time: Column[int | None] = Field(default=None, sa_type=BigInteger)
    """The time at which an operator ended it; None if nobody did."""


class HandlingClassRow(SQLModel, table=True):
    """A class of parts that policy cannot tell apart; ``facts`` holds all that policy may know.

    A section's class belongs to its header's class, since a section goes only where its header
    goes. ``digest`` is over both.
    """

    __tablename__ = "handling_class"
    class_id: Column[int] = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    # finds the class of a part at once, whose facts are too long for an index
    digest: Column[str] = Field(max_length=64, unique=True)
    issuer: Column[str] = Field(max_length=253, index=True)
    facts: Column[str] = Field(sa_type=Text)
    header_class_id: Column[int | None] = Field(default=None, index=True)


class RulingRow(SQLModel, table=True):
    """A policy and those of its rules that decided together; many releases name one ruling."""

    __tablename__ = "ruling"
    ruling_id: Column[int] = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    digest: Column[str] = Field(max_length=64, unique=True)
    policy_digest: Column[str] = Field(max_length=64)
    policy_version: Column[int] = Field(default=0)
    """Tells apart versions with the same text; 0 before a first policy was set."""
    rules: Column[list[str]] = Field(sa_type=JsonText)
    """The ids of the rules."""


class DecisionRow(SQLModel, table=True):
    """The present decision on a handling class for a peer."""

    __tablename__ = "decision"
    peer: Column[str] = Field(max_length=253, primary_key=True)
    class_id: Column[int] = Field(primary_key=True, foreign_key="handling_class.class_id")
    allowed: Column[bool]
    follows: Column[bool]
    """True for sections that are allowed only to a peer which has their header."""
    ruling_id: Column[int] = Field(foreign_key="ruling.ruling_id")
    correction_ruling_id: Column[int | None] = Field(default=None)
    """The ruling that lets new versions of what the peer has go; None if none does."""
    backlog: Column[int]
    """Which of the considered parts may still wait; see ``policy.decisions.Backlog``."""
