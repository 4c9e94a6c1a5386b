"""Inserting rows in batches, and the row numbers that they get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import SQLColumnExpression, func, inspect
from sqlmodel import Session, SQLModel, select

from comity.node.database.sessions import WriteSession


def insert_rows(
    session: WriteSession,
    table: type[SQLModel],
    rows: Sequence[dict[str, Any]],
    *,
    replacing: str = "",
) -> None:
    """Insert rows, at least one; each holds every column, in the types of the driver.

    ``replacing`` names the column that is changed if a row of that primary key is there already.
    """
    # SQLAlchemy's processing of each parameter would cost more than SQLite does
    connection = session.connection()
    names = ", ".join(rows[0])
    form = ":{}" if connection.dialect.name == "sqlite" else "%({})s"
    values = ", ".join(form.format(name) for name in rows[0])

    # names of tables and columns are this module's own, never input
    into = f"INSERT INTO {table.__tablename__} ({names})"
    conflict = ""
    if replacing:
        keys = ", ".join(column.name for column in inspect(table).primary_key)
        conflict = f" ON CONFLICT ({keys}) DO UPDATE SET {replacing} = excluded.{replacing}"

    connection.exec_driver_sql(f"{into} VALUES ({values}){conflict}", rows)


def last_number(session: Session, column: SQLColumnExpression[int], default: int = 0) -> int:
    """Return the highest row number in use, or ``default`` if the table is empty."""
    number: int | None = session.exec(select(func.max(column))).one()
    return default if number is None else number
