"""The schema: brought to this version's by migrations, and checked against the tables.

Invariants: migrations run in the caller's transaction, so that one that fails leaves the schema as
it was; a database of a version that is not known here is refused, never changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Connection, inspect
from sqlmodel import SQLModel

from comity.record.errors import BadConfig

log = structlog.get_logger()

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def upgrade_schema(connection: Connection) -> None:
    """Bring the schema to the one of this version.

    Raises:
        BadConfig: another version made the database.
    """
    held, newest = _held_version(connection), _newest_version()
    if held != newest:
        _migrate(connection)
        if held is not None:
            log.info("the database was brought up to date", before=held, now=newest)
    _check_schema(connection)


def make_schema(connection: Connection, version: str) -> None:
    """Make the schema of a version, such as ``0011``, in an empty database.

    Raises:
        BadConfig: the database holds tables, or the version is not known here.
    """
    if found := inspect(connection).get_table_names():
        hint = "name an empty database with --database, or drop this one's tables"
        message = f"expected an empty database, got one with {len(found)} tables"
        raise BadConfig(message, field="database", hint=hint)
    _migrate(connection, version)


def schema_version(connection: Connection) -> str:
    """Return the version of the schema of a database that ``upgrade_schema`` has seen."""
    return _held_version(connection) or ""


def _newest_version() -> str:
    # a migration's file begins with its version: 0011_scratch.py
    return max(file.name[:4] for file in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _held_version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str = connection.exec_driver_sql(
        "SELECT version_num FROM alembic_version"
    ).scalar_one()
    return version


def _migrate(connection: Connection, version: str = "head") -> None:
    # imported here because it takes as long as most commands, which have nothing to migrate
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, version)
    except CommandError as error:
        # alembic's message names the version that is not known here
        raise _other_version(str(error)) from error


def check_privilege(connection: Connection) -> None:
    """Check that release may make its temporary tables in PostgreSQL.

    Raises:
        BadConfig: the connection's user may not.
    """
    user, database, may = connection.exec_driver_sql(
        "SELECT current_user, current_database(), "
        "has_database_privilege(current_database(), 'TEMPORARY')"
    ).one()
    if not may:
        message = f"expected a user that may create temporary tables in {database}, got {user}"
        hint = f'as its owner: GRANT TEMPORARY ON DATABASE "{database}" TO "{user}"'
        raise BadConfig(message, field="database", hint=hint)


def _check_schema(connection: Connection) -> None:
    """Check that every table and column is there: the first write would be late to find out."""
    found = {
        name: {column["name"] for column in columns}
        for (_, name), columns in inspect(connection).get_multi_columns().items()
    }

    for table in SQLModel.metadata.sorted_tables:
        if table.name not in found:
            raise _other_version(f"expected a table {table.name}, got none")
        missing = {column.name for column in table.columns} - found[table.name]
        if missing:
            raise _other_version(f"expected columns {sorted(missing)} of {table.name}, got none")


def _other_version(message: str) -> BadConfig:
    hint = "run the version of Comity that made it, or put back a backup that this version made"
    message = f"made by another version of Comity: {message}"
    return BadConfig(message, field="database", hint=hint)
