"""A database that fails under a command: full, locked and lost are told apart."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import ExitStack
from pathlib import Path

import pytest
import typer
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from comity.node.commands.options import open_node
from comity.node.database.failures import ACCESS, AGAIN, DAMAGED, REACH, ROOM, advice
from comity.node.home.folder import Home
from comity.policies.preset import load_preset
from comity.record.errors import BadConfig
from tests.support.databases import postgres_server
from tests.support.network import make_home


def context_of(home: Home) -> typer.Context:
    """Return the context of a command on a home."""
    app = typer.Typer()
    app.command()(lambda: None)
    return typer.Context(typer.main.get_command(app), obj=home.path)


def test_a_postgresql_that_stops_under_a_command_is_told_as_lost(tmp_path: Path) -> None:
    with ExitStack() as stack:
        # a server of its own, which no other test misses
        server = stack.enter_context(postgres_server(f"stopped-{secrets.token_hex(4)}"))
        new_database = stack.enter_context(server.databases())
        home = make_home(tmp_path, "uk.aisi.example", database=new_database(empty=True))

        def command() -> None:
            with open_node(context_of(home)) as node:
                stack.close()
                node.set_policy(load_preset("open"))

        with pytest.raises(BadConfig) as failed:
            command()
    assert failed.value.field == "database"
    assert failed.value.hint.startswith("see that the database server is up")


class ServerError(Exception):
    """An error of PostgreSQL's driver; ``sqlstate`` is None if the server did not send it."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("failed")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "words"),
    [
        (None, REACH),  # no connection
        ("57P01", REACH),  # the server is being shut down
        ("08006", REACH),  # the connection broke
        ("53100", ROOM),  # the disk is full
        ("55P03", AGAIN),  # a lock was not to be had in time
        ("40P01", AGAIN),  # a deadlock
    ],
)
def test_the_code_of_postgresql_says_what_to_do(sqlstate: str | None, words: str) -> None:
    assert advice(OperationalError("SELECT 1", {}, ServerError(sqlstate))) == words


def test_a_locked_sqlite_is_told_apart_from_a_full_one(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'some.db'}", connect_args={"timeout": 0})
    with engine.connect() as writer, engine.connect() as other:
        writer.exec_driver_sql("CREATE TABLE busy (text)")
        writer.exec_driver_sql("INSERT INTO busy VALUES ('')")
        with pytest.raises(OperationalError) as locked:
            other.exec_driver_sql("CREATE TABLE late (text)")
    assert advice(locked.value) == AGAIN

    with engine.connect() as small:
        small.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(OperationalError) as full:
            small.exec_driver_sql("CREATE TABLE wide (text)")
    assert advice(full.value) == ROOM
    engine.dispose()


def test_a_sqlite_that_may_not_be_written_or_is_no_database_is_not_called_full(
    tmp_path: Path,
) -> None:
    file = tmp_path / "some.db"
    engine = create_engine(f"sqlite:///file:{file}?mode=ro&uri=true")
    with pytest.raises(OperationalError) as missing, engine.connect():
        pass
    assert advice(missing.value) == ACCESS

    file.touch()
    with pytest.raises(OperationalError) as readonly, engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE some (text)")
    assert advice(readonly.value) == ACCESS
    engine.dispose()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_CORRUPT, DAMAGED),
        (sqlite3.SQLITE_IOERR_WRITE, ROOM),
        (sqlite3.SQLITE_INTERRUPT, AGAIN),  # one that this version does not know
    ],
)
def test_the_code_of_sqlite_says_what_to_do(code: int, words: str) -> None:
    error = sqlite3.OperationalError("failed")
    error.sqlite_errorcode = code
    assert advice(OperationalError("SELECT 1", {}, error)) == words
