"""What many tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from comity.record.keys import SigningKey
from tests.commanding import Run, runner
from tests.databases import NewDatabase, PostgresServer, postgres_server, sqlite_databases


@pytest.fixture(autouse=True)
def _logs_to_stderr() -> None:
    """Keep what nodes in this process log out of what commands print."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


@pytest.fixture
def comity_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs comity-node in an empty folder, with answers to prompts."""
    return runner(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    """Return a record key of uk.aisi.example."""
    return SigningKey.generate()


@pytest.fixture(scope="session")
def postgres(testrun_uid: str) -> Iterator[PostgresServer]:
    """Run PostgreSQL."""
    with postgres_server(testrun_uid) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewDatabase]:
    """Return what makes databases: the test runs once over SQLite and once over PostgreSQL."""
    if request.param == "sqlite":
        yield sqlite_databases(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.databases() as new:
        yield new


@pytest.fixture
def new_postgres_database(postgres: PostgresServer) -> Iterator[NewDatabase]:
    """Return what makes databases, where only PostgreSQL has what is tested."""
    with postgres.databases() as new:
        yield new


@pytest.fixture
def database(new_database: NewDatabase) -> str:
    """Return the URL of a fresh database."""
    return new_database()
