"""Rotation: every key changes while records flow, and nothing is lost or refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from comity.node.database.tables import AlarmRow, PeerRow, QuarantineRow, ReceiptRow, RecordRow
from comity.node.home.key_files import KeyUse
from comity.node.home.node_certificate import certify_node
from comity.node.trust.key_status import list_keys
from comity.record.record import Record
from tests.support.drafts import card
from tests.support.network import Running, network, run, until
from tests.support.root_signers import RootSigners, held

UK, CA = "uk.aisi.example", "ca.aisi.example"


class Pair:
    """Two nodes that exchange records over mutual TLS, pinned by their roots."""

    def __init__(self, uk: Running, ca: Running) -> None:
        self.uk, self.ca = uk, ca
        self.root_signers = {UK: RootSigners(), CA: RootSigners()}
        self.sent: list[tuple[Running, Record]] = []

    @property
    def sides(self) -> tuple[tuple[Running, Running], ...]:
        return (self.uk, self.ca), (self.ca, self.uk)

    def pin(self) -> None:
        """Give both a root, and pin each at the other."""
        for one, other in self.sides:
            other.node.add_peer(self.root_signers[one.node.institute].found(one.node))

    async def publish(self, name: str) -> None:
        """Publish a record on each side."""
        for one, other in self.sides:
            record = one.sign(card(name))
            await asyncio.to_thread(one.node.publish, record)
            self.sent.append((other, record))

    async def settle(self) -> None:
        """Wait until all that was published is at the other side and signed for."""
        for other, record in self.sent:
            await until(partial(other.rows, RecordRow, record_id=record.record_id), "a record")
        for one, other in self.sides:
            await until(partial(_settled, one, other.node.institute), "receipts")

    async def followed(self) -> None:
        """Wait until both hold the other's newest version, and go by it."""
        for one, other in self.sides:
            await until(partial(_goes_by, other, one), "the newest version")

    def check(self) -> None:
        """Nothing was refused, by anyone."""
        for one, _ in self.sides:
            assert one.rows(QuarantineRow) == []
            assert one.rows(AlarmRow) == []


@asynccontextmanager
async def exchanging(root: Path) -> AsyncIterator[Pair]:
    async with network(root, UK, CA) as (uk, ca):
        pair = Pair(uk, ca)
        await asyncio.to_thread(pair.pin)
        await pair.publish("before")
        await pair.settle()
        yield pair


def _goes_by(one: Running, other: Running) -> bool:
    """Whether one holds another's newest version, and has pinned its profile."""
    [row] = one.rows(PeerRow, institute=other.node.institute)
    root = other.node.own.root
    is_held = root is not None and held(one, other.node.institute) == root.version
    return is_held and bool(row.fingerprint == other.node.bundle.fingerprint)


def _settled(sender: Running, receiver: str) -> bool:
    [row] = sender.rows(PeerRow, institute=receiver)
    return bool(row.offered and row.receipted == row.offered)


Step = Callable[[Pair, Running], object]


def rotate(use: KeyUse) -> Step:
    return lambda pair, one: pair.root_signers[one.node.institute].rotate(one.node, use)


def revoke_oldest(use: KeyUse) -> Step:
    def step(pair: Pair, one: Running) -> None:
        oldest = next(key for key in list_keys(one.node) if key.use == use)
        index = len(one.rows(RecordRow, issuer=one.node.institute)) + 10
        pair.root_signers[one.node.institute].revoke(one.node, use, oldest.keyid, index)

    return step


def give_way(pair: Pair, one: Running) -> None:
    others = RootSigners()
    pair.root_signers[one.node.institute].give_way(one.node, others)
    pair.root_signers[one.node.institute] = others


def finish(pair: Pair, one: Running) -> None:
    home = one.node.home
    certify_node(home, home.authority_of(one.node.bundle.authorities[-1]), datetime.now(UTC))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((rotate(KeyUse.RECORD), revoke_oldest(KeyUse.RECORD)), id="record"),
        pytest.param((rotate(KeyUse.LOG), revoke_oldest(KeyUse.LOG)), id="log"),
        pytest.param((rotate(KeyUse.WITNESS), revoke_oldest(KeyUse.WITNESS)), id="witness"),
        pytest.param((rotate(KeyUse.CA), finish, revoke_oldest(KeyUse.CA)), id="ca"),
        pytest.param((give_way, give_way), id="root"),
    ],
)
def test_a_key_gives_way_while_records_flow(tmp_path: Path, steps: tuple[Step, ...]) -> None:
    async def scenario() -> None:
        async with exchanging(tmp_path) as pair:
            for number, step in enumerate(steps):
                await pair.publish(f"just before {number}")
                for one, _ in pair.sides:
                    await asyncio.to_thread(step, pair, one)
                await pair.publish(f"just after {number}")
                await pair.followed()
                await pair.publish(f"after {number}")
                await pair.settle()
            pair.check()
            for one, other in pair.sides:
                assert len(one.rows(RecordRow)) == 2 * (1 + 3 * len(steps))
                receipts = [r.payload for r in one.rows(ReceiptRow, ours=True)]
                assert receipts == [r.payload for r in other.rows(ReceiptRow, ours=False)]

    run(scenario())
