"""Chains of roots, this institute's and its peers'."""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column


class RootVersionRow(SQLModel, table=True):
    """One version of an institute's root, ours or a peer's; the chain is kept whole."""

    __tablename__ = "root_version"
    institute: Column[str] = Field(max_length=253, primary_key=True)
    # each version is kept: peers follow them one by one (TUF, section 5.3)
    version: Column[int] = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    document: Column[bytes] = Field(sa_type=LargeBinary)
    """TUF metadata as it came."""
    accepted_time: Column[int] = Field(sa_type=BigInteger)
