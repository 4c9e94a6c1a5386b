"""The queues of peers: the parts released to each, in order, and the rulings that allowed them."""

from __future__ import annotations

from sqlalchemy import BigInteger, UniqueConstraint
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column


class ReleaseRow(SQLModel, table=True):
    """The decision to give a part to a peer, kept for ever, and its place in the queue."""

    __tablename__ = "release"
    __table_args__ = (UniqueConstraint("peer", "part_id"), {"sqlite_with_rowid": False})
    peer: Column[str] = Field(max_length=253, primary_key=True)
    offer_number: Column[int] = Field(sa_type=BigInteger, primary_key=True)
    # unique for a peer: a part that it was given is never queued again
    part_id: Column[int] = Field(sa_type=BigInteger, foreign_key="part.part_id")
    ruling_id: Column[int] = Field(foreign_key="ruling.ruling_id")
    release_time: Column[int] = Field(sa_type=BigInteger)
