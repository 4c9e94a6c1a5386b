"""Making a home: what nobody could use is refused before anything is made."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from comity.node.database.store import Store
from comity.node.home.folder import Home
from comity.node.server.ports import why_not_bound
from tests.support.command_line import Run
from tests.support.databases import NewDatabase

INIT = ("init", "--institute", "uk.aisi.example", "--name", "en=UK")


@pytest.mark.parametrize(
    "address", ["0.0.0.0:7000", "[::]:7000", "a.example", "a.example:0", "https://a.example:7000"]
)
def test_an_address_that_nobody_can_dial_is_refused(comity_node: Run, address: str) -> None:
    ended = comity_node(*INIT, "--address", address)
    assert (ended.code, "address" in ended.err) == (1, True)
    assert not Path("uk").exists()


@pytest.mark.parametrize(
    ("address", "listen"),
    [
        ("127.0.0.1:7000", "127.0.0.1:7000"),
        ("[::1]:7000", "[::1]:7000"),
        ("comity.aisi.example:7000", "0.0.0.0:7000"),
    ],
)
def test_a_node_on_loopback_is_not_shown_to_the_network(
    comity_node: Run, address: str, listen: str
) -> None:
    assert comity_node(*INIT, "--address", address).code == 0
    assert Home(Path("uk")).settings.listen == listen


def test_a_database_of_another_institute_is_refused_before_a_home_is_made(
    comity_node: Run, new_database: NewDatabase
) -> None:
    url = new_database(empty=True)
    if not url.startswith("postgresql"):
        url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    else:
        store = Store(url)
        store.upgrade()
        store.claim("ca.aisi.example")
        store.close()
    ended = comity_node(*INIT, "--address", "127.0.0.1:7000", "--database", url)
    assert (ended.code, "database" in ended.err) == (1, True)
    assert not Path("uk").exists()


def test_the_reason_why_a_port_cannot_be_bound_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "another node" in why_not_bound(f"127.0.0.1:{taken.getsockname()[1]}")
    assert "no such address" in why_not_bound("203.0.113.7:7000")
