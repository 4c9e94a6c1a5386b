"""The witness's HTTP protocol (C2SP tlog-witness), spoken to a running node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from comity.node.log.proofs import newest_checkpoint, prove_consistency
from comity.node.node import Node
from comity.record.cosignature import verify_cosignature
from comity.record.errors import InvalidInput, LimitExceeded
from comity.record.note import Note, SignatureLine, Verifier
from comity.record.tlog_witness import AddCheckpoint
from tests.support.http_site import http_site
from tests.support.log_store import grow
from tests.support.network import make_home, run

CA = "ca.aisi.example"


@dataclass
class Pair:
    """A log, and the HTTP port of a node that has pinned its institute."""

    log: Node
    witness: Node
    session: aiohttp.ClientSession

    async def ask(self, body: bytes) -> tuple[int, str, bytes]:
        async with self.session.post("/add-checkpoint", data=body) as answer:
            return answer.status, answer.headers["Content-Type"], await answer.read()

    async def grow(self, count: int) -> int:
        """Log so many leaves more and sign; return the size."""
        await asyncio.to_thread(grow, self.log.store, count)
        await asyncio.to_thread(self.log.signer.sign)
        with self.log.store.read() as session:
            return newest_checkpoint(session).size

    def request(self, old: int) -> AddCheckpoint:
        with self.log.store.read() as session:
            shown = newest_checkpoint(session)
            return AddCheckpoint(
                old, tuple(prove_consistency(session, old, shown.size)), shown.note
            )


@asynccontextmanager
async def pair(root: Path) -> AsyncIterator[Pair]:
    async with http_site(root) as here:
        log = Node(make_home(root, CA))
        try:
            await asyncio.to_thread(here.running.node.add_peer, log.bundle)
            yield Pair(log, here.running.node, here.session)
        finally:
            log.close()


def test_a_growing_log_is_cosigned_step_by_step(tmp_path: Path) -> None:
    async def story() -> None:
        async with pair(tmp_path) as both:
            old = 0
            for count in (3, 300):
                size = await both.grow(count)
                request = both.request(old)
                status, _, body = await both.ask(request.to_bytes())
                assert status == 200, body
                text = Note.parse(request.checkpoint).text
                (verifier,) = map(Verifier.parse, both.witness.bundle.witness_keys)
                (line,) = body.decode().splitlines()
                verify_cosignature(text, SignatureLine.parse(line), verifier)
                old = size

    run(story())


def test_whoever_begins_elsewhere_is_told_the_size_that_is_held(tmp_path: Path) -> None:
    async def story() -> None:
        async with pair(tmp_path) as both:
            await both.grow(5)
            assert (await both.ask(both.request(0).to_bytes()))[0] == 200
            await both.grow(5)
            assert await both.ask(both.request(3).to_bytes()) == (409, "text/x.tlog.size", b"5\n")
            assert (await both.ask(both.request(5).to_bytes()))[0] == 200

    run(story())


def test_refusals_have_the_status_of_the_specification(tmp_path: Path) -> None:
    async def story() -> None:
        async with pair(tmp_path) as both:
            await both.grow(5)
            first = both.request(0)
            assert (await both.ask(first.to_bytes()))[0] == 200
            await both.grow(300)
            good = both.request(5)
            with both.witness.store.read() as session:
                own = newest_checkpoint(session).note
            torn = Note.parse(good.checkpoint)
            bad = torn.signatures[0].signature[:-1] + bytes([torn.signatures[0].signature[-1] ^ 1])
            line = SignatureLine(torn.signatures[0].name, torn.signatures[0].keyid, bad)
            refusals = {
                "of an unknown log": (AddCheckpoint(0, (), own), 404),
                "with a bad signature": (
                    AddCheckpoint(5, good.proof, Note(torn.text, (line,)).to_bytes()),
                    403,
                ),
                "with an old size above the new": (AddCheckpoint(306, (), good.checkpoint), 400),
                "with a proof too short": (AddCheckpoint(5, good.proof[1:], good.checkpoint), 422),
                "with a wrong proof": (
                    AddCheckpoint(5, (bytes(32), *good.proof[1:]), good.checkpoint),
                    422,
                ),
                "that goes back": (first, 409),
            }
            for name, (request, status) in refusals.items():
                assert (await both.ask(request.to_bytes()))[0] == status, name
            assert (await both.ask(good.to_bytes()))[0] == 200

    run(story())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 5\n",
        b"old 05\n\ncheckpoint",
        b"old -1\n\ncheckpoint",
        b"new 5\n\ncheckpoint",
        b"old 5\nAAAA\n\ncheckpoint",
        b"old 5\n" + b"A" * 43 + b"=" + b"\n" + b"x" * 44 + b"\n\ncheckpoint",
        "old 5\n—\n\ncheckpoint".encode(),
    ],
)
def test_malformed_requests_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        AddCheckpoint.parse(body)


def test_requests_over_their_limits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded, match="63 hashes"):
        AddCheckpoint.parse(AddCheckpoint(1, (bytes(32),) * 64, b"x").to_bytes())
    with pytest.raises(LimitExceeded, match="leaves"):
        AddCheckpoint.parse(b"old 9007199254740993\n\ncheckpoint")

    async def story() -> None:
        async with pair(tmp_path) as both:
            status, _, _ = await both.ask(b"old 1\n" + b"A" * 100_000)
            assert status == 413

    run(story())


def test_request_is_read_as_it_was_written() -> None:
    request = AddCheckpoint(7, (bytes(range(32)), bytes(32)), b"log\n7\nroot\n\nsignature\n")
    assert AddCheckpoint.parse(request.to_bytes()) == request
