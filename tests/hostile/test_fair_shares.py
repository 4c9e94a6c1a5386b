"""Fair shares: while one caller does its worst, operators are answered and can publish."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from comity.client import connect
from comity.client.connection.node_client import NodeClient
from comity.node.home.certificate_authority import Authority
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.policies.preset import load_preset
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.keys import SigningKey
from comity.record.log import origin
from comity.record.spiffe import Role, SpiffeId
from tests.support.attackers import Target
from tests.support.drafts import card
from tests.support.forged_certificates import forge
from tests.support.hostile_calls import CA, UK
from tests.support.http_site import home_with_port
from tests.support.network import make_home, run

PROMISE_SECONDS: Final = 2.0
ATTACK_SECONDS: Final = 8.0
ROUNDS: Final = 6

ATTACKS: Final = (
    "peer's calls without a request",
    "stranger's calls without a request",
    "idle connections",
    "idle HTTP connections",
    "searches",
    "shared checkpoints",
    "watches",
)


@asynccontextmanager
async def process(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a Python process while the context is open."""
    made = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *words, stdout=PIPE, stderr=PIPE
    )
    try:
        yield made
    finally:
        # it may have ended by itself
        with suppress(ProcessLookupError):
            made.kill()
        await made.communicate()


def prepare(root: Path) -> tuple[Home, Target]:
    """Make uk with ca as its peer and some records, and what attackers need."""
    home, ca = home_with_port(root), make_home(root, CA)
    with_ca = Node(ca)
    node = Node(home)
    node.add_peer(with_ca.bundle)
    node.set_policy(load_preset("open"))
    for number in range(4):
        draft = card(f"model-{number}", summary={"en": "a" * 4000})
        node.publish(draft.sign(home.node_id, node.key))
    target = Target(node.bundle, home.settings.log.listen, root)
    target.save()

    # checkpoints that ca's own log signed: each takes all the work that a good one does
    [signer] = ca.keychain().log
    (root / "notes").mkdir()
    for size in range(1, 257):
        note = sign_checkpoint(Checkpoint(origin(CA), size, bytes([size % 256] * 32)), signer)
        (root / "notes" / str(size)).write_bytes(note.to_bytes())

    # a peer may certify whom it likes, also in the name of an institute that is not its own
    authority: Authority = ca.authority
    target.grant("peer", authority.issue(SpiffeId(CA, Role.NODE)))
    target.grant("stranger", forge(authority, "spiffe://nobody.example/node"))
    target.grant("analyst", home.authority.issue(SpiffeId(UK, Role.ANALYST, "ada")))
    for each in (node, with_ca):
        each.close()
    return home, target


async def longest_wait(client: NodeClient, home: Home, key: SigningKey) -> float:
    """Return the longest time that an operator's status or publish took."""
    waits = []
    for number in range(ROUNDS):
        record = card(f"beside-{number}-{time.monotonic_ns()}").sign(home.node_id, key)
        for call in (client.status(), client.publish(record)):
            begun = time.monotonic()
            await call
            waits.append(time.monotonic() - begun)
    return max(waits)


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_operator_is_served_while_one_caller_does_its_worst(tmp_path: Path, attack: str) -> None:
    home, target = prepare(tmp_path)

    async def scenario() -> None:
        async with process("comity.node", "--home", str(home.path), "run") as node:
            assert node.stderr is not None
            while b'"event": "serving"' not in await node.stderr.readline():
                pass
            drained = asyncio.create_task(node.stderr.read())
            profile = home.grant(Role.OPERATOR, "bo")
            async with connect(profile) as client:
                quiet = await longest_wait(client, home, home.record_key())
                words = ("tests.support.attackers", attack, str(target.folder), str(ATTACK_SECONDS))
                async with process(*words) as attacker:
                    assert attacker.stdout is not None
                    assert await attacker.stdout.readline() == b"begun\n"
                    # also a new connection is let in
                    async with connect(profile) as anew:
                        await anew.status()
                    busy = await longest_wait(client, home, home.record_key())
            drained.cancel()
            # a machine that is slow without an attack is not held against the node
            assert busy < max(PROMISE_SECONDS, 10 * quiet), (quiet, busy)

    run(scenario())
