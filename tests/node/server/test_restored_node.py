"""A node whose database was restored from an older backup, among its peers."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from comity.node.database.clock import system_clock
from comity.node.database.tables import PartRow, RecordRow
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.node.replication.ledger import given_to, taken_from
from comity.node.replication.reconciliation import DifferenceKind, compare_accounts
from comity.record.bundle import Keyring
from comity.record.errors import BadConfig, LogHalted
from tests.support.drafts import card
from tests.support.institutes import Institute
from tests.support.marks import move_mark_on
from tests.support.network import Running, command_at, make_home, run, serving, until
from tests.support.replication import introduce, publish_card, recovered, settled
from tests.support.witnesses import with_new_log

UK, CA = "uk.aisi.example", "ca.aisi.example"


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Home, Home]:
    """Return homes of uk and ca, on SQLite."""
    return make_home(tmp_path, UK), make_home(tmp_path, CA)


def copied(home: Home) -> Path:
    """Make a backup of a home's database, as sqlite3's own command does."""
    copy = home.path / "backup.db"
    source, target = sqlite3.connect(home.path / "comity.db"), sqlite3.connect(copy)
    with source, target:
        source.backup(target)
    source.close()
    target.close()
    return copy


def put_back(copy: Path, home: Home) -> None:
    for name in ("comity.db-wal", "comity.db-shm"):
        (home.path / name).unlink(missing_ok=True)
    (home.path / "comity.db").write_bytes(copy.read_bytes())


async def signed_for(sender: Running, receiver: Running) -> None:
    """Wait until everything that was offered is there and signed for."""
    await until(lambda: settled(sender, receiver.node.institute), "all receipts")


def held(one: Running) -> list[str]:
    return sorted(row.record_id for row in one.rows(RecordRow))


def differences(giver: Running, receiver: Running) -> list[tuple[DifferenceKind, tuple[str, ...]]]:
    """Compare what both say of what one gave the other."""
    names = giver.node.institute, receiver.node.institute
    with giver.node.store.read() as session:
        given = list(given_to(session, names[1]))
    with receiver.node.store.read() as session:
        taken = [item for _, item in taken_from(session, names[0])]
    found = compare_accounts(*names, given, taken, Keyring([receiver.node.bundle]).find)
    return [(one.kind, one.record_ids) for one in found.differences]


def test_a_restored_sender_does_not_run_until_recovered_and_its_peer_then_gets_everything(
    homes: tuple[Home, Home],
) -> None:
    uk_home, ca_home = homes

    async def scenario() -> None:
        async with serving(ca_home) as ca:
            async with serving(uk_home) as uk:
                await introduce(uk, ca)
                records = [publish_card(uk), publish_card(uk)]
                await signed_for(uk, ca)
            copy = copied(uk_home)
            async with serving(uk_home) as uk:
                lost = publish_card(uk)
                await signed_for(uk, ca)
            put_back(copy, uk_home)

            with pytest.raises(BadConfig, match="restored from an older backup"):
                async with serving(uk_home):
                    pass
            assert recovered(uk_home).log_halted
            with capture_logs() as logs:
                async with serving(uk_home) as uk:
                    with pytest.raises(LogHalted, match="were signed"):
                        publish_card(uk)
                    with_new_log(uk)
                    # without a new life these would come under the offer numbers of the lost one
                    records += [publish_card(uk), publish_card(uk)]
                    await signed_for(uk, ca)
                    assert held(ca) == sorted([*records, lost])
                    assert len(ca.rows(PartRow)) == 3 * len(held(ca))
                    assert differences(uk, ca) == [(DifferenceKind.NOT_DELIVERED, (lost,))]
            assert "EPOCH_CHANGED" in {line.get("reason") for line in logs}

    run(scenario())


def test_ledgers_agree_after_recovery_where_only_receipts_were_lost(
    homes: tuple[Home, Home],
) -> None:
    uk_home, ca_home = homes

    async def scenario() -> None:
        async with serving(uk_home) as uk:
            async with serving(ca_home) as ca:
                await introduce(uk, ca)
                records = [publish_card(uk)]
                await signed_for(uk, ca)
            records += [publish_card(uk) for _ in range(3)]
        copy = copied(uk_home)
        async with serving(uk_home) as uk, serving(ca_home) as ca:
            await signed_for(uk, ca)
            put_off = held(ca)
        put_back(copy, uk_home)
        recovered(uk_home)
        async with serving(uk_home) as uk, serving(ca_home) as ca:
            await signed_for(uk, ca)
            assert held(ca) == put_off == sorted(records)
            assert differences(uk, ca) == []

    run(scenario())


def test_a_restored_receiver_gets_everything_again_once_and_tells_what_it_lacks(
    homes: tuple[Home, Home],
) -> None:
    uk_home, ca_home = homes

    async def scenario() -> None:
        async with serving(uk_home) as uk:
            async with serving(ca_home) as ca:
                await introduce(uk, ca)
                records = [publish_card(uk)]
                await signed_for(uk, ca)
            copy = copied(ca_home)
            async with serving(ca_home) as ca:
                records.append(publish_card(uk))
                await signed_for(uk, ca)
            put_back(copy, ca_home)
            with pytest.raises(BadConfig, match="restored from an older backup"):
                async with serving(ca_home):
                    pass
            recovered(ca_home)
            # the same receipt, signed within the same second, would be no difference
            async with serving(ca_home, lambda: system_clock() + 60_000) as ca:
                records.append(publish_card(uk))
                await signed_for(uk, ca)
                assert held(ca) == sorted(records)
                assert differences(uk, ca) == [(DifferenceKind.NOT_KEPT, (records[1],))]

    run(scenario())


def test_run_says_what_happened_and_recover_what_it_did(homes: tuple[Home, Home]) -> None:
    home = homes[0]

    async def scenario() -> None:
        node = Node(home)
        copy = copied(home)
        Institute(node).publish(card())
        node.close()
        put_back(copy, home)
        code, _, err = await command_at(home, "run")
        assert code == 1
        assert "restored from an older backup: expected commit" in err
        assert "comity-node recover" in err
        code, out, err = await command_at(home, "recover", "--yes", "--json")
        done = json.loads(out)
        assert code == 0
        assert done["commit"] < done["reachedCommit"]
        assert "comity-node alarms clear" in err
        Node(home).close()

    run(scenario())


def test_recovery_asks_first_and_without_a_yes_changes_nothing(homes: tuple[Home, Home]) -> None:
    home = homes[0]

    async def scenario() -> None:
        Node(home).close()
        move_mark_on(home)
        before = home.state.joinpath("mark").read_bytes()
        for answer in ("n\n", ""):
            code, _, err = await command_at(home, "recover", answer=answer)
            assert code == 1
            assert "Is there no newer copy of the database?" in err
            assert "nothing was changed" in err
        assert home.state.joinpath("mark").read_bytes() == before
        assert (await command_at(home, "recover", answer="y\n"))[0] == 0
        assert home.state.joinpath("mark").read_bytes() != before

    run(scenario())
