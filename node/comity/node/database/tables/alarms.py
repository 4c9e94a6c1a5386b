"""Alarms: what an operator has to look at."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column


class AlarmRow(SQLModel, table=True):
    """Something that an operator has to look at; kept until it is cleared."""

    __tablename__ = "alarm"
    institute: Column[str] = Field(max_length=253, primary_key=True)
    """Whom it is about; may be this institute."""
    reason: Column[str] = Field(max_length=64, primary_key=True)
    """Such as SPLIT_VIEW, LOG_ROLLED_BACK or ROOT_REFUSED."""
    message: Column[str] = Field(sa_type=Text)
    first_time: Column[int] = Field(sa_type=BigInteger)
    last_time: Column[int] = Field(sa_type=BigInteger)
    count: Column[int] = Field(default=1, sa_type=BigInteger)
