"""Replication: what is allowed arrives, once, is signed for, and goes on after any cut."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from sqlmodel import select
from structlog.testing import capture_logs
from structlog.typing import EventDict

from comity.node.database.clock import system_clock
from comity.node.database.progress_mark import Mark
from comity.node.database.store import Store
from comity.node.database.tables import (
    LeaseRow,
    PartRow,
    PeerRow,
    QuarantineRow,
    ReceiptRow,
    RecordRow,
)
from comity.node.home.folder import Home
from comity.node.replication.outbox import keep_receipt
from comity.node.server.background import leases
from comity.node.server.background.leases import give_up, hold
from comity.node.server.recovery import recover
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from comity.record.envelope import Envelope
from comity.record.errors import BadCursor, BadReceipt, FutureCursor
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.network import (
    Running,
    befriend,
    free_port,
    make_home,
    network,
    run,
    serving,
    until,
)

UK, CA = "uk.aisi.example", "ca.aisi.example"
OPEN = load_preset("open")


def receipts(one: Running | Institute, peer: str) -> list[bytes]:
    """Return the receipts about a peer, ours or theirs, as they were signed."""
    return [row.payload + row.signature for row in one.rows(ReceiptRow, peer=peer)]


def settled(sender: Running, receiver: str) -> bool:
    """Whether a peer has signed for everything that it was offered."""
    [row] = sender.rows(PeerRow, institute=receiver)
    return bool(row.offered and row.receipted == row.offered)


def test_a_published_card_reaches_a_peer_and_is_receipted(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA, database=lambda _: new_database()) as (uk, ca):
            record = uk.sign(card())
            uk.node.publish(record)
            await until(lambda: ca.rows(RecordRow, record_id=record.record_id), "the card at ca")
            [row] = ca.rows(RecordRow)
            assert row.payload == record.envelope.payload
            assert len(ca.rows(PartRow)) == 3
            await until(lambda: settled(uk, CA), "the receipt")
            assert [r.ours for r in uk.rows(ReceiptRow)] == [False]
            assert receipts(uk, CA) == receipts(ca, UK)
            assert ca.rows(QuarantineRow) == []

    run(scenario())


def test_a_peer_that_has_not_pinned_us_is_told_of_in_words(tmp_path: Path) -> None:
    async def scenario() -> None:
        homes = make_home(tmp_path, UK), make_home(tmp_path, CA)
        async with serving(homes[0]) as uk, serving(homes[1]) as ca:
            befriend(uk, ca)
            await until(lambda: "pinned our trust bundle" in uk.rows(PeerRow)[0].last_error, "it")
            befriend(ca, uk)
            await until(lambda: not uk.rows(PeerRow)[0].last_error, "the end of the error")

    run(scenario())


def test_both_sides_are_given_what_the_other_has_in_several_batches(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA, database=lambda _: new_database()) as (uk, ca):
            for one in (uk, ca):
                one.node.publish_all([one.sign(card(sections={})) for _ in range(300)])
            await until(lambda: settled(uk, CA) and settled(ca, UK), "all receipts")
            assert len(uk.rows(RecordRow)) == len(ca.rows(RecordRow)) == 600
            assert len(receipts(uk, CA)) >= 2 * 2

    run(scenario())


def test_a_receiver_that_was_away_goes_on_where_it_stopped(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    async def scenario() -> None:
        uk_home, ca_home = (make_home(tmp_path, i, database=new_database()) for i in (UK, CA))
        async with serving(uk_home) as uk:
            uk.node.set_policy(OPEN)
            async with serving(ca_home) as ca:
                befriend(uk, ca)
                befriend(ca, uk)
                uk.node.publish(uk.sign(card()))
                await until(lambda: settled(uk, CA), "the first receipt")
            uk.node.publish(uk.sign(card()))
            async with serving(ca_home) as ca:
                await until(lambda: settled(uk, CA), "the second receipt")
                assert len(ca.rows(RecordRow)) == 2
                assert receipts(uk, CA) == receipts(ca, UK)
                assert len(receipts(uk, CA)) == 2

    run(scenario())


def test_a_sender_whose_database_was_made_anew_is_pulled_from_the_beginning(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    async def scenario() -> None:
        uk_home, ca_home = (make_home(tmp_path, i, database=new_database()) for i in (UK, CA))
        async with serving(ca_home) as ca:
            async with serving(uk_home) as uk:
                await introduce(uk, ca)
                uk.node.publish(uk.sign(card()))
                await until(lambda: settled(uk, CA), "the first receipt")
            async with serving(recovered(with_database(uk_home, new_database()))) as uk:
                await introduce(uk, ca)
                uk.node.publish_all([uk.sign(card()) for _ in range(2)])
                await until(lambda: settled(uk, CA), "receipts of the second life")
                assert len(ca.rows(RecordRow)) == 3
                await until(lambda: ca.rows(PeerRow, institute=UK, last_error=""), "good terms")

    run(scenario())


def test_a_suspended_peers_stream_ends_and_goes_on_when_it_resumes(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA, database=lambda _: new_database()) as (uk, ca):
            uk.node.publish(uk.sign(card()))
            await until(lambda: settled(uk, CA), "the first receipt")
            uk.node.set_peer_status(CA, PeerStatus.SUSPENDED)
            uk.node.publish(uk.sign(card()))
            await until(lambda: "suspended" in ca.rows(PeerRow)[0].last_error, "the refusal")
            assert len(ca.rows(RecordRow)) == 1
            uk.node.set_peer_status(CA, PeerStatus.MEMBER)
            await until(lambda: len(ca.rows(RecordRow)) == 2, "the second card")

    run(scenario())


def test_lost_receipts_are_sent_again(tmp_path: Path, new_database: NewDatabase) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as (uk, ca):
        uk.publish(card())
        ca.pull(uk)
        for _ in range(2):
            uk.publish(card())
            ca.pull(uk, lose_receipts=True)
        assert len(receipts(uk, CA)) == 1
        ca.pull(uk)
        assert receipts(uk, CA) == receipts(ca, UK)
        assert len(receipts(uk, CA)) == 3


def test_a_receiver_that_starts_anew_stores_everything_once(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as (uk, ca):
        for _ in range(3):
            uk.publish(card())
            ca.pull(uk)
        with ca.node.store.write() as session:
            session.get_one(PeerRow, UK).cursor = ""
            session.flush()
        uk.publish(card())
        ca.pull(uk)
        assert len(ca.rows(RecordRow)) == 4
        assert len(ca.rows(PartRow)) == 12
        [row] = uk.rows(PeerRow)
        assert row.receipted == row.offered == 12


def test_a_batch_that_comes_twice_is_refused_and_changes_nothing(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as (uk, ca):
        uk.publish(card())
        batch = uk.offer(ca)
        assert batch is not None
        ca.node.inbox.take(UK, batch)
        with pytest.raises(BadCursor, match="expected the batch after"):
            ca.node.inbox.take(UK, batch)
        assert len(receipts(ca, UK)) == 1
        assert len(ca.held()) == 3


def test_a_receipt_must_name_the_records_that_were_offered(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as (uk, ca):
        uk.publish(card())
        batch = uk.offer(ca)
        assert batch is not None
        uk.publish(card())
        longer = uk.offer(ca)
        assert longer is not None
        batch.cursor = longer.cursor
        receipt = ca.node.inbox.take(UK, batch).receipt
        with pytest.raises(BadReceipt, match="expected the 2 records offered, got 1"):
            keep(uk, receipt)
        assert uk.rows(ReceiptRow) == []


def test_a_receipt_for_what_was_never_offered_is_refused(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as (uk, ca):
        uk.publish(card())
        batch = uk.offer(ca)
        assert batch is not None
        receipt = ca.node.inbox.take(UK, batch).receipt
        with uk.node.store.write() as session:
            session.get_one(PeerRow, CA).offered = 2
            session.flush()
        with pytest.raises(FutureCursor, match="expected at most offer 2, got 3"):
            keep(uk, receipt)


def test_a_lease_is_one_holders_until_it_ends_or_is_given_up(database: str) -> None:
    store = Store(database)
    store.upgrade()
    store.claim(UK)
    with store.write() as session:
        assert hold(session, "work", "one", 0)
        assert not hold(session, "work", "two", leases.LEASE_MS - 1)
        assert hold(session, "work", "one", 1000)
        assert not hold(session, "work", "two", leases.LEASE_MS)
        assert hold(session, "work", "two", leases.LEASE_MS + 1000)
        give_up(session, "work", "one")
        assert not hold(session, "work", "one", leases.LEASE_MS + 1000)
        give_up(session, "work", "two")
        assert hold(session, "work", "one", leases.LEASE_MS + 1000)
    store.close()


def test_of_two_processes_on_one_database_one_pulls_and_the_other_takes_over(
    tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    async def scenario() -> None:
        uk_home, ca_home = (
            make_home(tmp_path, i, database=new_postgres_database()) for i in (UK, CA)
        )
        second_home = twin(ca_home)
        with capture_logs() as logs:
            async with serving(uk_home) as uk, serving(second_home) as second:
                async with serving(ca_home) as first:
                    await introduce(uk, first)
                    uk.node.publish(uk.sign(card()))
                    await until(lambda: settled(uk, CA), "the first receipt")
                    for _ in range(2):  # both have looked, and one was turned away
                        before = second.rows(LeaseRow)[0].expires_time
                        await until(lambda: renewed(second, before), "a renewed lease")  # noqa: B023
                    assert pulls_of_ca(logs) == 1
                uk.node.publish(uk.sign(card()))
                await until(lambda: settled(uk, CA), "the second receipt")
                assert len(second.rows(RecordRow)) == 2

    run(scenario())


def test_the_lease_of_a_process_that_died_runs_out(
    tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA, database=lambda _: new_postgres_database()) as (
            uk,
            ca,
        ):
            uk.node.publish(uk.sign(card()))
            await until(lambda: settled(uk, CA), "the first receipt")
            with ca.node.store.write() as session:
                [row] = session.exec(select(LeaseRow))
                row.holder, row.expires_time = "dead", ca.node.clock() + 1500
                session.add(row)
                session.flush()
            await until(lambda: ca.rows(LeaseRow)[0].holder != "dead", "a new holder")
            uk.node.publish(uk.sign(card()))
            await until(lambda: settled(uk, CA), "the second receipt")

    run(scenario())


async def introduce(uk: Running, ca: Running) -> None:
    """Make two institutes each other's peers; uk gives what it has."""
    befriend(uk, ca)
    befriend(ca, uk)
    await asyncio.to_thread(uk.node.set_policy, OPEN)


def keep(one: Institute, receipt: Envelope) -> None:
    with one.node.store.write() as session:
        keep_receipt(session, CA, receipt, one.node.clock())


def recovered(home: Home) -> Home:
    """Do what an operator does where a database is lost."""
    store = Store(home.settings.database_url)
    store.upgrade()
    store.claim(home.institute)
    recover(store, Mark(home.state), system_clock())
    store.close()
    return home


def with_database(home: Home, url: str) -> Home:
    """Give a home another database."""
    file = home.path / "comity.toml"
    file.write_text(file.read_text().replace(home.settings.database_url, url))
    return Home(home.path)


def twin(home: Home) -> Home:
    """Return a home of the same institute and database, for a second process on this machine."""
    path = home.path.with_name(f"{home.path.name}-2")
    shutil.copytree(home.path, path)
    file = path / "comity.toml"
    listen = home.settings.listen
    line = f'listen = "{listen}"'
    file.write_text(file.read_text().replace(line, f'listen = "127.0.0.1:{free_port()}"'))
    return Home(path)


def renewed(one: Running, expires_time: int) -> bool:
    return any(row.expires_time > expires_time for row in one.rows(LeaseRow))


def pulls_of_ca(logs: list[EventDict]) -> int:
    return sum(entry["event"] == "pulling" and entry["peer"] == UK for entry in logs)
