"""A backup of a node that runs, and the node restored from it, on both kinds of database."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comity.node.database.clock import system_clock
from comity.node.database.table_copy import table_lines, table_names
from comity.node.database.tables import LogHeadRow, RecordRow
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.node.server.backup import Restored, make_backup, restore_backup
from comity.record.errors import BadArchive, BadConfig, ComityError, InvalidInput
from tests.support.command_line import Run, init
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.network import Running, make_home, run, serving, until
from tests.support.replication import introduce, publish_card, settled
from tests.support.witnesses import with_new_log

UK, CA = "uk.aisi.example", "ca.aisi.example"
WORDS = "correct horse"


def backed_up(node: Node, file: Path, passphrase: str | None = WORDS) -> Path:
    make_backup(node.home, node.store, file, passphrase, system_clock(), lambda _: None)
    return file


def restored(file: Path, path: Path, database: str, passphrase: str = WORDS) -> Restored:
    return restore_backup(file, path, database, lambda: passphrase, system_clock())


def rows(node: Node) -> dict[str, list[bytes]]:
    """Return every row as it is written into a backup, but those that a recovery changes."""
    changed = {"node", "log_head", "alarm", "lease"}
    with node.store.read() as session:
        return {
            name: sorted(table_lines(session, name))
            for name in table_names()
            if name not in changed
        }


def held(one: Running) -> set[str]:
    return {row.record_id for row in one.rows(RecordRow)}


@pytest.fixture
def node(tmp_path: Path, new_database: NewDatabase) -> Iterator[Node]:
    """Yield a node that has published and signed, on both kinds of database."""
    node = Node(make_home(tmp_path, UK, database=new_database()))
    node.publish(card().sign(node.home.node_id, node.key))
    node.signer.sign()
    yield node
    node.close()


def test_what_was_acknowledged_before_the_backup_reaches_the_peer_from_the_restored_node(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    home = make_home(tmp_path, UK, database=new_database())
    file = tmp_path / "uk.backup"
    acknowledged: list[str] = []

    async def publish_on(uk: Running) -> None:
        while not file.exists():
            acknowledged.append(await asyncio.to_thread(publish_card, uk))

    async def scenario() -> None:
        async with serving(make_home(tmp_path, CA)) as ca:
            async with serving(home) as uk:
                await introduce(uk, ca)
                publishing = asyncio.create_task(publish_on(uk))
                await until(lambda: len(acknowledged) >= 3, "some records")
                before = set(acknowledged)
                await asyncio.to_thread(backed_up, uk.node, file)
                await publishing

            # the machine is lost: another home, another database
            again = restored(file, tmp_path / "again", new_database(empty=True)).home
            async with serving(again) as uk:
                assert before <= held(uk)
                # no more than was signed may be shown in the name of the old log
                assert [bool(row.halted) for row in uk.rows(LogHeadRow)] == [True]
                with_new_log(uk)
                fresh = publish_card(uk)
                await until(lambda: {*before, fresh} <= held(ca), "the records at the peer")
                await until(lambda: settled(uk, CA), "receipts")

    run(scenario())


def test_a_backup_restores_into_either_kind_of_database(
    tmp_path: Path, node: Node, new_postgres_database: NewDatabase
) -> None:
    file = backed_up(node, tmp_path / "uk.backup")
    expected = rows(node)
    for name, database in (
        ("sqlite", "sqlite:///comity.db"),
        ("postgres", new_postgres_database(empty=True)),
    ):
        found = Node(restored(file, tmp_path / name, database).home)
        try:
            assert same_values(rows(found)) == same_values(expected)
            assert found.bundle.to_json() == node.bundle.to_json()
        finally:
            found.close()


def same_values(tables: dict[str, list[bytes]]) -> dict[str, list[Any]]:
    """Let truth values compare, which the two kinds of database write in two ways."""
    words = {b"true": b"1", b"false": b"0"}
    for name, lines in tables.items():
        for word, digit in words.items():
            lines = [line.replace(word, digit) for line in lines]
        tables[name] = sorted(lines)
    return tables


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a backup of a node on SQLite."""
    node = Node(make_home(tmp_path, UK))
    node.publish(card().sign(node.home.node_id, node.key))
    node.signer.sign()
    node.close()
    return backed_up(node, tmp_path / "uk.backup")


def test_a_backup_is_readable_for_its_owner_only_and_holds_no_secret_in_plain(
    tmp_path: Path,
) -> None:
    home = make_home(tmp_path, UK)
    settings = home.path / "comity.toml"
    line = '# database = "postgresql+psycopg://comity:hunter2@db/comity"\n'
    settings.write_text(line + settings.read_text())
    node = Node(Home(home.path))
    file = backed_up(node, tmp_path / "uk.backup")
    node.close()
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"PRIVATE KEY" not in content
    assert b"hunter2" not in content


def test_a_damaged_member_is_named_and_nothing_is_restored(tmp_path: Path, file: Path) -> None:
    damaged = tmp_path / "damaged.backup"
    with zipfile.ZipFile(file) as good, zipfile.ZipFile(damaged, "w") as bad:
        for name in good.namelist():
            extra = b"\n" if name == "tables/record.jsonl" else b""
            bad.writestr(name, good.read(name) + extra)
    with pytest.raises(BadArchive, match=r"tables/record\.jsonl: damaged"):
        restored(damaged, tmp_path / "again", "sqlite:///comity.db")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(BadArchive, match="expected a backup"):
        restored(file, tmp_path / "again", "sqlite:///comity.db")
    assert not (tmp_path / "again").exists()


def test_a_home_or_a_database_that_holds_something_is_not_replaced(
    tmp_path: Path, file: Path
) -> None:
    with pytest.raises(BadConfig, match="is not overwritten"):
        restored(file, tmp_path / UK, "sqlite:///comity.db")
    other = make_home(tmp_path, CA)
    Node(other).close()
    with pytest.raises(BadConfig, match="expected an empty database"):
        restored(file, tmp_path / "again", other.settings.database_url)
    assert not (tmp_path / "again").exists()
    Node(other).close()


def test_a_wrong_passphrase_restores_nothing(tmp_path: Path, file: Path) -> None:
    with pytest.raises(InvalidInput, match="expected the passphrase of the keys"):
        restored(file, tmp_path / "again", "sqlite:///comity.db", "wrong")
    assert not (tmp_path / "again").exists()


def test_a_backup_of_a_newer_schema_is_refused(tmp_path: Path, file: Path) -> None:
    newer = tmp_path / "newer.backup"
    with zipfile.ZipFile(file) as good, zipfile.ZipFile(newer, "w") as changed:
        for name in good.namelist():
            data = good.read(name)
            if name == "manifest.json":
                start = data.index(b'"schema": "') + len(b'"schema": "')
                data = data[:start] + b"9999" + data[start + 4 :]
            changed.writestr(name, data)
    with pytest.raises(ComityError, match="made by another version of Comity"):
        restored(newer, tmp_path / "again", "sqlite:///comity.db")


def test_commands_back_up_and_restore_and_tell_the_next_steps(comity_node: Run) -> None:
    init(comity_node)
    ended = comity_node("backup", "plain.backup", "--json")
    assert (ended.code, ended.json["institute"]) == (0, UK)
    assert "the private keys are not in this backup" in ended.err
    ended = comity_node("backup", "plain.backup")
    assert (ended.code, "is not overwritten" in ended.err) == (1, True)
    ended = comity_node("backup", "keys.backup", "--keys", answer="\n")
    assert (ended.code, "expected a passphrase" in ended.err) == (1, True)

    ended = comity_node("backup", "keys.backup", "--keys", answer=f"{WORDS}\n")
    assert ended.code == 0, ended.err
    ended = comity_node("--home", "two", "restore", "keys.backup", "--json", answer=f"{WORDS}\n")
    assert (ended.code, ended.json["logHalted"]) == (0, True), ended.err
    assert "comity-node log new" in ended.err
    assert f"witness resume {UK}" not in ended.err
    assert comity_node("--home", "two", "peers", "list").code == 0

    ended = comity_node("--home", "three", "restore", "plain.backup")
    assert (ended.code, "put your copy of them into three/keys" in ended.err) == (0, True)
