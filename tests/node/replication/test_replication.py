"""Replication: what is allowed arrives, once, is signed for, and goes on after any cut."""

from __future__ import annotations

from pathlib import Path

from comity.node.database.tables import (
    PartRow,
    PeerRow,
    QuarantineRow,
    ReceiptRow,
    RecordRow,
)
from comity.node.home.folder import Home
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.network import (
    befriend,
    make_home,
    network,
    run,
    serving,
    until,
)
from tests.support.replication import introduce, receipts, recovered, settled

UK, CA = "uk.aisi.example", "ca.aisi.example"
OPEN = load_preset("open")


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
            recovered(anew := with_database(uk_home, new_database()))
            async with serving(anew) as uk:
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


def with_database(home: Home, url: str) -> Home:
    """Give a home another database."""
    file = home.path / "comity.toml"
    lines = file.read_text().splitlines(keepends=True)
    [at] = [i for i, line in enumerate(lines) if line.startswith("database = ")]
    lines[at] = f'database = "{url}"\n'
    file.write_text("".join(lines))
    return Home(home.path)
