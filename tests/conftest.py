"""What many tests share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from comity.record.keys import SigningKey
from tests.databases import NewDatabase, postgres_databases, postgres_server, sqlite_databases


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    """Return a record key of uk.aisi.example."""
    return SigningKey.generate()


@pytest.fixture(scope="session")
def postgres(testrun_uid: str) -> Iterator[Callable[[str], str]]:
    """Run PostgreSQL; the value turns a database's name into its URL."""
    with postgres_server(testrun_uid) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewDatabase]:
    """Return what makes databases: the test runs once over SQLite and once over PostgreSQL."""
    if request.param == "sqlite":
        yield sqlite_databases(tmp_path)
        return
    with postgres_databases(request.getfixturevalue("postgres")) as new:
        yield new


@pytest.fixture
def new_postgres_database(postgres: Callable[[str], str]) -> Iterator[NewDatabase]:
    """Return what makes databases, where only PostgreSQL has what is tested."""
    with postgres_databases(postgres) as new:
        yield new


@pytest.fixture
def database(new_database: NewDatabase) -> str:
    """Return the URL of a fresh database."""
    return new_database()
