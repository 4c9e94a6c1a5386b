"""Alarms: what an operator has to look at."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlmodel import Field, SQLModel


class AlarmRow(SQLModel, table=True):
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
