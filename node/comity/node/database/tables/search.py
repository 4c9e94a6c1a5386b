"""What search looks in, all of it made from records and their sections, and made again at need.

The words of parts are in ``part_text``, which is a virtual table in SQLite; ``database.text_index``
has it.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index
from sqlmodel import Field, SQLModel

from comity.node.database.tables.columns import Column, RowNumber


class ItemRow(SQLModel, table=True):
    """An item of a disclosed section, such as a risk: the domain and the severity that it states.

    Items of a part that state the same are one row.
    """

    __tablename__ = "item"
    __table_args__ = (
        Index("item_by_domain", "domain", "severity", "part_id"),
        Index("item_by_severity", "severity", "part_id"),
    )
    part_id: Column[int] = Field(sa_type=RowNumber, primary_key=True, foreign_key="part.part_id")
    domain: Column[str] = Field(max_length=256, primary_key=True)
    """Empty if the item names none."""
    severity: Column[int] = Field(primary_key=True)
    """Rank, from 1 for low to 4 for critical; 0 if the item states none."""


class SearchIndexRow(SQLModel, table=True):
    """How far the index has been made: it is whole if ``done`` has reached ``until``."""

    __tablename__ = "search_index"
    id: Column[int] = Field(default=1, primary_key=True)
    version: Column[int] = Field(default=0)
    """Version of the rules by which words are made; see ``records.search_index``."""
    done: Column[int] = Field(default=0, sa_type=BigInteger)
    """The last part of those before ``until`` that is indexed."""
    until: Column[int] = Field(default=0, sa_type=BigInteger)
    """The last part that was stored before the index was begun; later ones are always indexed."""


SEARCH_TABLES = (ItemRow.__tablename__, SearchIndexRow.__tablename__)
"""Names of the tables that no backup holds."""
