"""Scratch tables, which one connection holds for itself while release works on a peer's queue.

They are temporary, so none of their rows is written ahead or forced to disk with the commit.
Invariant: rows serve one run of release, and ``GATHERED`` is empty between runs.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table
from sqlalchemy.schema import CreateTable

from comity.node.database.sessions import WriteSession
from comity.node.database.tables.columns import RowNumber

_SCRATCH: Final = MetaData()
_TEMPORARY: Final[dict[str, Any]] = {
    "prefixes": ["TEMPORARY"],
    # nothing vacuums the temporary tables of PostgreSQL; this truncates them
    "postgresql_on_commit": "DELETE ROWS",
}

WANTED: Final = Table(
    "scratch_wanted",
    _SCRATCH,
    # SQLite's own row number: looked up for every part, in two thirds of the time of an index
    Column("class_id", Integer, primary_key=True, autoincrement=False),
    Column("ruling_id", Integer, nullable=False),
    Column("backlog", Integer, nullable=False),
    **_TEMPORARY,
)
"""The classes whose parts are being released, with the peer's decisions on them."""

GATHERED: Final = Table(
    "scratch_gathered",
    _SCRATCH,
    Column("number", RowNumber, primary_key=True, autoincrement=False),
    Column("part_id", BigInteger, nullable=False),
    Column("ruling_id", Integer, nullable=False),
    **_TEMPORARY,
)
"""Parts on their way into the queue; ``number`` counts the offers of the run, from 1."""


def prepare(session: WriteSession) -> None:
    """Make the tables if this connection has none yet."""
    for table in _SCRATCH.sorted_tables:
        session.connection().execute(CreateTable(table, if_not_exists=True))
