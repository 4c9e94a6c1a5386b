"""What many tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from comity.client.commands import app as client_cli
from comity.node.commands import app as node_cli
from comity.node.node import Node
from comity.record.keys import SigningKey
from tests.support.command_line import Run, runner
from tests.support.databases import NewDatabase, PostgresServer, postgres_server, sqlite_databases
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.network import make_home
from tests.support.operator import Operator, operator_of_uk
from tests.support.records import UK, bundle_of
from tests.support.root_signers import RootSigners

# a busy machine takes its time over an example, which says nothing about the code
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def _logs_to_stderr() -> None:
    """Keep what nodes in this process log out of what commands print."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


@pytest.fixture
def comity_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs comity-node in an empty folder, with answers to prompts.

    The home is the folder's ``uk`` unless --home names another.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMITY_HOME", str(tmp_path / "uk"))
    return runner(node_cli.app, monkeypatch, capsys)


@pytest.fixture
def operator(tmp_path: Path, comity_node: Run) -> Iterator[Operator]:
    """Yield the desk of uk, whose only peer is ca, in a folder of its own."""
    with operator_of_uk(tmp_path, comity_node) as made:
        yield made


@pytest.fixture
def clock() -> HandClock:
    """Return a clock that stands still until it is turned."""
    return HandClock()


@pytest.fixture
def three(tmp_path: Path, clock: HandClock) -> Iterator[list[Institute]]:
    """Yield uk, ca and fr, each other's peers."""
    names = (f"{name}.aisi.example" for name in ("uk", "ca", "fr"))
    with institutes(tmp_path, clock, sqlite_databases(tmp_path), *names) as found:
        yield found


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """Yield a node of uk.aisi.example that nothing serves."""
    node = Node(make_home(tmp_path, UK.institute))
    yield node
    node.close()


@pytest.fixture
def root_signers(node: Node) -> RootSigners:
    """Return the holders of the root's keys, who have signed the node's first root."""
    root_signers = RootSigners()
    root_signers.found(node)
    return root_signers


@pytest.fixture
def comity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs comity in an empty folder, far from any profile."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMITY_CONFIG", str(tmp_path / "config"))
    for name in ("COMITY_PROFILE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    return runner(client_cli.app, monkeypatch, capsys)


@pytest.fixture
def signed(tmp_path: Path, signing_key: SigningKey) -> Path:
    """Write a record of uk.aisi.example and the institute's bundle; return the record's file."""
    bundle = bundle_of(UK.institute, signing_key)
    (tmp_path / "uk.bundle.json").write_bytes(bundle.to_json())
    path = tmp_path / "card.record.json"
    path.write_bytes(card().sign(UK, signing_key).to_json())
    return path


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
