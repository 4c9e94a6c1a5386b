"""Alarms, for an operator to look at."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column


class AlarmRow(SQLModel, table=True):
    """An alarm about an institute, kept until it is cleared; see ``database.alarms``."""

    __tablename__ = "alarm"
    # one row for each cause, so that a peer cannot fill the table (invariant 10)
    institute: Column[str] = Field(max_length=253, primary_key=True)
    """The institute that it is about, perhaps this one."""
    reason: Column[str] = Field(max_length=64, primary_key=True)
    """Such as SPLIT_VIEW, LOG_ROLLED_BACK or ROOT_REFUSED."""
    message: Column[str] = Field(sa_type=Text)
    first_time: Column[int] = Field(sa_type=BigInteger)
    last_time: Column[int] = Field(sa_type=BigInteger)
    count: Column[int] = Field(default=1, sa_type=BigInteger)
    delivered_time: Column[int | None] = Field(default=None, sa_type=BigInteger)
    """The time at which it reached people; None until then."""
    delivery_attempts: Column[int] = Field(default=0)
    retry_time: Column[int] = Field(default=0, sa_type=BigInteger)
    """The time before which its delivery is not tried again."""
