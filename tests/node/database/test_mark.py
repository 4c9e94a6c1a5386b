"""The mark: what a node notes outside its database, and what an older database makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from comity.node.database.alarms import list_alarms
from comity.node.database.clock import to_datetime
from comity.node.database.progress_mark import Mark, Progress
from comity.node.database.store import Store
from comity.node.database.tables import CheckpointRow, LogHeadRow, WitnessedLogRow
from comity.node.log.new_log import begin_log
from comity.node.node import Node
from comity.node.server.recovery import recover_database
from comity.node.witness.halting import RESTORED
from comity.record.errors import BadConfig, LogHalted
from comity.record.log import next_log
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute
from tests.support.marks import move_mark_on
from tests.support.network import make_home, run, serving, until

UK, CA = "uk.aisi.example", "ca.aisi.example"
NOW = 1_800_000_000_000


@pytest.fixture
def node(tmp_path: Path, new_database: NewDatabase) -> Iterator[Node]:
    """Return a node that only the test moves."""
    node = Node(make_home(tmp_path, UK, database=new_database()), HandClock())
    yield node
    node.store.close()


def test_a_home_that_comes_back_without_its_mark_is_not_trusted(node: Node) -> None:
    with node.store.write():
        pass
    node.close()
    (node.home.state / "mark").unlink()
    with pytest.raises(BadConfig, match=r"commits, and .*mark is missing: it may be an old copy"):
        Node(node.home)


def test_a_damaged_mark_is_named_and_recovered_from(node: Node) -> None:
    file = node.home.state / "mark"
    for damaged in (b"", b"{}", b'{"commits":1,"epoch":"x","signed":0}', file.read_bytes()[:-9]):
        file.write_bytes(damaged)
        with pytest.raises(BadConfig, match=r"state/mark: not a mark"):
            Node(node.home)
    recover_database(node.store, Mark(node.home.state), NOW)
    Node(node.home).close()


def set_commits(store: Store, commits: int) -> None:
    """Let a database look as it did after so many commits."""
    with store.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE node SET commits = {commits}"))


def test_a_database_that_goes_back_while_the_node_runs_is_noticed(node: Node) -> None:
    institute = Institute(node)
    for _ in range(5):
        institute.publish(card())
    assert node.signer.sign()
    set_commits(node.store, 1)
    institute.publish(card("another"))
    with pytest.raises(BadConfig, match="restored from an older backup"):
        node.signer.sign()
    assert len(institute.rows(CheckpointRow)) == 1


def test_the_mark_follows_a_running_node_and_is_whole_when_it_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path, UK)
        mark = Mark(home.state)
        async with serving(home) as uk:
            uk.node.publish(uk.sign(card()))

            def caught_up() -> bool:
                marked = mark.read()
                return marked is not None and marked.commits == uk.node.store.commits()

            await until(caught_up, "the mark")
            uk.node.publish(uk.sign(card()))
        marked = mark.read()
        assert marked is not None
        node = Node(home)
        assert marked.commits == node.store.commits()
        node.close()
        assert (home.state / "mark").stat().st_mode & 0o777 == 0o600
        assert home.state.stat().st_mode & 0o777 == 0o700

    run(scenario())


def test_a_checkpoint_is_marked_before_it_is_signed(node: Node) -> None:
    Institute(node).publish(card())
    node.signer.sign()
    marked = node.mark.read()
    assert marked is not None
    assert marked.signed == 1


def test_a_second_home_on_the_database_follows_a_recovery_of_the_first(
    node: Node, tmp_path: Path
) -> None:
    with node.store.write():
        pass
    other = Mark(tmp_path / "other-state")
    other.keep(node.store)
    recover_database(node.store, node.mark, NOW)
    other.open(node.store)
    assert other.read() == node.mark.read()


def test_another_database_is_not_taken_for_this_homes(
    node: Node, new_database: NewDatabase
) -> None:
    store = Store(new_database())
    store.upgrade()
    store.claim(UK)
    with pytest.raises(BadConfig, match="another database, or restored"):
        node.mark.open(store)
    recover_database(store, node.mark, NOW)
    node.mark.open(store)
    # and the one from before is the old one now
    with pytest.raises(BadConfig, match="another database, or restored"):
        Mark(node.home.state).open(node.store)
    store.close()


def test_the_log_halts_where_signed_leaves_were_lost(node: Node) -> None:
    uk = Institute(node)
    uk.publish(card())
    node.signer.sign()
    with node.store.write() as session:
        for log in (CA, "fr.aisi.example"):
            row = WitnessedLogRow(
                institute=log, log_number=0, size=1, root="", note=b"", witnessed_time=0
            )
            session.add(row)
    node.keep_mark()
    # as if the database had forgotten one leaf that was signed
    with (node.home.state / "mark").open() as file:
        marked = json.load(file)
    (node.home.state / "mark").write_text(json.dumps({**marked, "signed": 2}))
    done = recover_database(node.store, node.mark, NOW)
    assert done.log_halted
    assert [row.halted for row in uk.rows(LogHeadRow)] == [
        "restored from a backup: the log has 1 leaves, but 2 were signed"
    ]
    assert done.witnessed_halted == 2
    assert all("restored from a backup" in row.halted for row in uk.rows(WitnessedLogRow))
    with pytest.raises(LogHalted):
        uk.publish(card("another"))
    assert not node.signer.sign()


def test_the_log_halts_where_another_log_was_signed_meanwhile(node: Node) -> None:
    uk = Institute(node)
    uk.publish(card())
    node.signer.sign()
    node.keep_mark()
    marked = json.loads((node.home.state / "mark").read_bytes())
    (node.home.state / "mark").write_text(json.dumps({**marked, "log": 20261201124500}))
    assert recover_database(node.store, node.mark, NOW).log_halted


def test_a_mark_from_before_there_were_later_logs_is_of_the_first(node: Node) -> None:
    marked = json.loads((node.home.state / "mark").read_bytes())
    assert marked.pop("log") == 0
    assert Progress.parse(json.dumps(marked).encode()).log == 0


def test_a_key_that_was_made_before_the_recovery_begins_no_log(node: Node) -> None:
    move_mark_on(node.home)
    made = next_log(to_datetime(NOW), 0)
    recover_database(node.store, node.mark, NOW)
    with node.store.write() as session:
        assert not begin_log(session, made, NOW)
        assert begin_log(session, made + 1, NOW)


def test_the_log_halts_where_nothing_tells_what_was_signed(node: Node) -> None:
    (node.home.state / "mark").unlink()
    assert recover_database(node.store, node.mark, NOW).log_halted
    with pytest.raises(LogHalted):
        Institute(node).publish(card())
    assert not node.signer.sign()


def test_the_log_goes_on_where_every_signed_leaf_is_there(node: Node) -> None:
    uk = Institute(node)
    uk.publish(card())
    node.signer.sign()
    node.keep_mark()
    move_mark_on(node.home)
    assert not recover_database(node.store, node.mark, NOW).log_halted
    uk.publish(card("another"))
    assert node.signer.sign()


def test_a_recovery_raises_the_alarm(node: Node) -> None:
    recover_database(node.store, node.mark, NOW)
    with node.store.read() as session:
        [alarm] = list_alarms(session, UK)
        assert (alarm.reason, alarm.last_time) == (RESTORED, NOW)
        assert "is forgotten here" in alarm.message
