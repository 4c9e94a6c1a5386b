"""A node knows the keys that it has served with, and that its log has begun."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from comity.node.database.owner import epoch_of
from comity.node.home.folder import Home
from comity.node.home.key_files import KeyUse, make_key
from comity.node.node import Node
from comity.record.errors import BadConfig
from tests.support.command_line import Run, init
from tests.support.drafts import card
from tests.support.network import make_home

UK, CA = "uk.aisi.example", "ca.aisi.example"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return the home of a node that has published and signed."""
    home = make_home(tmp_path, UK)
    node = Node(home)
    node.publish(card().sign(home.node_id, node.key))
    node.signer.sign()
    node.close()
    return home


def lose_database(home: Home) -> None:
    """Lose the database and the state, as a move of the keys alone does."""
    for file in home.path.glob("comity.db*"):
        file.unlink()
    shutil.rmtree(home.state)


@pytest.mark.parametrize("name", ["record.key", "log.key", "witness.key"])
def test_a_key_of_another_institute_in_its_place_is_refused(
    tmp_path: Path, home: Home, name: str
) -> None:
    other = make_home(tmp_path, CA)
    kept = (home.keys / name).read_bytes()
    shutil.copy(other.keys / name, home.keys / name)
    with pytest.raises(BadConfig, match=f"keys/{name}: expected the key"):
        Node(Home(home.path))

    # nothing was signed or remembered meanwhile: the way back is the file itself
    (home.keys / name).write_bytes(kept)
    Node(Home(home.path)).close()


def test_a_new_key_of_this_home_is_remembered(tmp_path: Path, home: Home) -> None:
    Node(home).close()
    file = make_key(home.path, UK, KeyUse.RECORD)
    Node(home).close()
    shutil.copy(make_home(tmp_path, CA).keys / "record.key", file)
    with pytest.raises(BadConfig, match="expected the key SHA256"):
        Node(home)


def test_an_empty_database_under_a_log_key_that_has_signed_is_refused(home: Home) -> None:
    lose_database(home)
    with pytest.raises(BadConfig, match="has signed checkpoints"):
        Node(Home(home.path))


def test_a_lost_database_can_be_recovered_and_its_log_stays_halted(comity_node: Run) -> None:
    init(comity_node)
    home = Home(Path("uk"))
    node = Node(home)
    node.publish(card().sign(home.node_id, node.key))
    node.signer.sign()
    node.close()
    lose_database(home)
    ended = comity_node("status")
    assert (ended.code, "comity-node recover" in ended.err) == (1, True)
    ended = comity_node("recover", "--yes", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["logHalted"] is True
    Path("card.yaml").write_bytes(card().to_yaml())
    assert "the log is halted" in comity_node("publish", "card.yaml").err


def test_a_sound_database_is_not_recovered(comity_node: Run) -> None:
    init(comity_node)
    with closing(Node(Home(Path("uk")))) as node, node.store.read() as session:
        before = epoch_of(session)
    ended = comity_node("recover", "--yes")
    assert (ended.code, "nothing to recover" in ended.err) == (1, True)
    with closing(Node(Home(Path("uk")))) as node, node.store.read() as session:
        assert epoch_of(session) == before
