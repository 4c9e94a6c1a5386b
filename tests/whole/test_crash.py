"""Crashes: real node processes, killed at any moment, keep what they said and go on."""

from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from comity.client.connection.node_client import NodeClient, connect
from comity.client.connection.profile import Profile
from comity.node.database.tables import (
    LogEntryRow,
    PartRow,
    PeerRow,
    QuarantineRow,
    ReceiptRow,
    RecordRow,
)
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.policies.preset import load_preset
from comity.record.errors import Unavailable
from comity.record.spiffe import Role
from tests.support.drafts import card
from tests.support.institutes import Institute
from tests.support.network import befriend, make_home, run, until

UK, CA = "uk.aisi.example", "ca.aisi.example"
ROUNDS = 2
PUBLISHERS = 4
CARDS = 400

RUN = "from comity.node.commands.app import main; main()"
SMALL_BATCHES = f"from comity.node.replication import outbox; outbox.MAX_BATCH_RECORDS = 4; {RUN}"
LONG_GRACE = f"from comity.node.server import process; process.GRACE_SECONDS = 3600; {RUN}"
"""A node that, when told to stop, would wait for an hour for calls that do not end."""


@dataclass(frozen=True)
class Started:
    """A node process and the file that it logs to."""

    process: Process
    log: Path

    async def says(self, event: str) -> None:
        """Wait until it has logged an event."""
        await until(lambda: f'"event": "{event}"' in self.log.read_text(), event)


@asynccontextmanager
async def process(home: Home, code: str = RUN) -> AsyncIterator[Started]:
    """Start a home's node as a process of its own; killed at the end if it still runs."""
    command = [sys.executable, "-W", "error", "-c", code, "--home", str(home.path), "run"]
    log = home.path.with_suffix(".log")
    with log.open("wb") as file:
        running = await asyncio.create_subprocess_exec(*command, stderr=file)
    try:
        yield Started(running, log)
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


@asynccontextmanager
async def connected(node: Started, profile: Profile) -> AsyncIterator[NodeClient]:
    """Connect to a node as soon as it serves."""
    await node.says("serving")
    async with connect(profile) as client:
        yield client


async def publish_until_cut(client: NodeClient, one: Institute, acknowledged: set[str]) -> None:
    """Publish card after card; note those that the node said are on disk and in the log."""
    try:
        while True:
            answer = await client.publish(one.sign(card()))
            acknowledged.add(answer.record_id)
    except Unavailable:
        return


async def publish_and_kill(profile: Profile, uk: Institute, seconds: float) -> set[str]:
    """Let several publishers work on a node that is killed meanwhile; return what it acknowledged.

    ``seconds`` count from the first acknowledgement.
    """
    acknowledged: set[str] = set()
    async with process(uk.node.home) as node, connected(node, profile) as client:
        work = asyncio.gather(
            *(publish_until_cut(client, uk, acknowledged) for _ in range(PUBLISHERS))
        )
        await until(lambda: acknowledged, "an acknowledgement")
        await asyncio.sleep(seconds)
        node.process.kill()
        await work
    return acknowledged


def test_what_a_killed_node_acknowledged_is_in_its_store_and_its_log(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path, UK)
        uk = Institute(Node(home))
        profile = home.grant(Role.OPERATOR, "ada")
        moments = random.Random(20240521)
        acknowledged: set[str] = set()
        for _ in range(ROUNDS):
            acknowledged |= await publish_and_kill(profile, uk, moments.uniform(0, 0.5))
        entries = sorted(uk.rows(LogEntryRow), key=lambda entry: entry.log_index)
        stored = {row.record_id for row in uk.rows(RecordRow)}
        assert len(acknowledged) >= ROUNDS
        assert acknowledged <= stored
        assert {entry.record_id for entry in entries} == stored
        assert [entry.log_index for entry in entries] == list(range(len(stored)))
        assert len(uk.rows(PartRow)) == 3 * len(stored)
        uk.node.close()

    run(scenario())


def test_whichever_side_is_killed_everything_arrives_once_and_the_ledgers_agree(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        uk, ca = (Institute(Node(make_home(tmp_path, name))) for name in (UK, CA))
        befriend(uk, ca)
        befriend(ca, uk)
        uk.node.set_policy(load_preset("open"))
        published = uk.node.publish_all([uk.sign(card(sections={})) for _ in range(CARDS)])
        await replicate_until(uk, ca, CARDS // 10, victim=ca)
        await replicate_until(uk, ca, CARDS // 3, victim=uk)
        await replicate_until(uk, ca, CARDS, victim=None)
        assert sorted(row.record_id for row in ca.rows(RecordRow)) == sorted(
            item.record_id for item in published
        )
        assert ca.rows(QuarantineRow) == []
        ours = [row.payload + row.signature for row in ca.rows(ReceiptRow)]
        assert ours == [row.payload + row.signature for row in uk.rows(ReceiptRow)]
        [sender], [receiver] = uk.rows(PeerRow), ca.rows(PeerRow)
        assert sender.receipted == sender.offered == CARDS
        assert receiver.cursor == uk.rows(ReceiptRow)[-1].cursor
        for one in (uk, ca):
            one.node.close()

    run(scenario())


async def replicate_until(
    uk: Institute, ca: Institute, receipted: int, victim: Institute | None
) -> None:
    """Run both nodes until ca has signed for so many offers; then kill the victim first."""
    async with (
        process(uk.node.home, SMALL_BATCHES) as sender,
        process(ca.node.home) as receiver,
    ):
        processes = {uk.name: sender.process, ca.name: receiver.process}
        await until(lambda: uk.rows(PeerRow)[0].receipted >= receipted, f"{receipted} receipts")
        if victim is not None:
            processes[victim.name].kill()


def test_a_publish_in_flight_is_finished_before_the_node_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path, UK)
        uk = Institute(Node(home))
        record = uk.sign(card())
        async with process(home, LONG_GRACE) as node:
            async with connected(node, home.grant(Role.OPERATOR, "ada")) as client:
                with uk.node.store.write():  # the publish cannot go on before this is left
                    publishing = asyncio.create_task(client.publish(record))
                    await client.status()  # asked later on the same connection
                    node.process.terminate()
                    await node.says("stopping")
                    assert not publishing.done()
                answer = await publishing
                assert answer.record_id == record.record_id
            assert await node.process.wait() == 0
        assert [entry.record_id for entry in uk.rows(LogEntryRow)] == [record.record_id]
        uk.node.close()

    run(scenario())


def test_an_open_watch_does_not_hold_a_node_up(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path, UK)
        profile = home.grant(Role.ANALYST, "ada")
        async with process(home, LONG_GRACE) as node, connected(node, profile) as client:
            watching = asyncio.create_task(anext(client.watch(), None))
            await client.search_page()  # asked later on the same connection
            node.process.terminate()
            assert await node.process.wait() == 0
            assert await watching is None

    run(scenario())
