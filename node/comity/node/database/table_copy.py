"""Every table but the search index as lines of text, which either kind of database takes back.

    first line     ["record_id", "payload", …]        the columns
    next lines     ["9f86…", {"base64": "…"}, …]      one row each, in JSON

Invariants: what is written is one state of the database, however much is committed meanwhile; rows
are never changed on the way, so that every signed byte comes back as it was; neither side holds a
whole table in memory.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session, SQLModel

from comity.node.database.tables import SEARCH_TABLES
from comity.record.errors import BadArchive

ROWS_AT_ONCE: Final = 500
"""Rows that are read or inserted at a time: at most some of 7 MiB each (MAX_RECORD_BYTES)."""


def table_names() -> list[str]:
    """Return the names of the tables to copy, each after those that it refers to.

    The index that search uses is left out: a node makes it again.
    """
    tables = SQLModel.metadata.sorted_tables
    return [table.name for table in tables if table.name not in SEARCH_TABLES]


def table_lines(session: Session, name: str) -> Iterator[bytes]:
    """Yield a table's columns and rows as lines; ``session`` is one of ``Store.read``."""
    columns = [column.name for column in SQLModel.metadata.tables[name].columns]
    yield _line(columns)

    # columns without a type: values as the driver has them, and JSON as its text
    table = sa.table(name, *map(sa.column, columns))
    query = sa.select(table).execution_options(yield_per=ROWS_AT_ONCE)
    for row in session.connection().execute(query):
        yield _line([_packed(value) for value in row])


def fill_table(connection: sa.Connection, name: str, lines: Iterable[bytes]) -> int:
    """Insert the rows of ``table_lines`` into an empty table; return their number.

    Raises:
        BadArchive: a line is malformed, or the table has no such columns.
    """
    rest = iter(lines)
    columns = _parse(name, next(rest, b""))
    types = {column["name"]: column["type"] for column in sa.inspect(connection).get_columns(name)}
    if unknown := sorted(set(map(str, columns)) - types.keys()):
        raise BadArchive(f"expected columns of the table, got {unknown}", field=name)

    # with its type, since the kinds of database differ in how they keep a truth value
    table = sa.table(name, *(sa.column(column, types[column]) for column in columns))
    count = 0
    for chunk in _batches(rest):
        rows = [_row(name, columns, line) for line in chunk]
        connection.execute(sa.insert(table), rows)
        count += len(rows)
    return count


def _batches(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    while chunk := list(islice(lines, ROWS_AT_ONCE)):
        yield chunk


def _row(name: str, columns: list[Any], line: bytes) -> dict[str, Any]:
    values = _parse(name, line)
    if len(values) != len(columns):
        raise BadArchive(f"expected {len(columns)} values, got {len(values)}", field=name)
    try:
        return dict(zip(columns, map(_unpacked, values), strict=True))
    except (binascii.Error, KeyError, TypeError, ValueError) as error:
        raise BadArchive(f"expected a value in base64: {error}", field=name) from error


def _parse(name: str, line: bytes) -> list[Any]:
    try:
        values = json.loads(line)
    except ValueError as error:
        raise BadArchive(f"expected a row in JSON: {error}", field=name) from error
    if not isinstance(values, list):
        raise BadArchive(f"expected a list, got {type(values).__name__}", field=name)
    return values


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _packed(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _unpacked(value: Any) -> Any:
    return base64.b64decode(value["base64"], validate=True) if isinstance(value, dict) else value
