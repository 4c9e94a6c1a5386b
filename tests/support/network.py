"""A network of real nodes for tests: real homes, real databases, real gRPC over real mutual TLS.

Nodes run in the test's own event loop, each on a loopback port of its own. ``until`` waits for a
condition instead of for time to pass.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlmodel import SQLModel, select

from comity.client.drafts.draft import Draft
from comity.node.database.clock import Clock, system_clock
from comity.node.home.folder import Home
from comity.node.home.new_home import create_home
from comity.node.node import Node
from comity.node.server.process import Server
from comity.policies.preset import load_preset
from comity.record.record import Record

PATIENCE_SECONDS = 300
"""How long a test waits before it counts as hanging. No test relies on less time."""


class HasNode(Protocol):
    """Whatever has a node, whether or not it serves."""

    @property
    def node(self) -> Node:
        """The node."""


@dataclass(frozen=True)
class Running:
    """A node that serves, and the home that it serves from."""

    node: Node
    server: Server

    def rows(self, table: type[SQLModel], **where: Any) -> list[Any]:
        """Return the rows of a table whose columns have the given values."""
        with self.node.store.read() as session:
            return list(session.exec(select(table).filter_by(**where)))

    def sign(self, draft: Draft) -> Record:
        """Sign a draft with the node's record key."""
        return draft.sign(self.node.home.node_id, self.node.key)


def make_home(
    root: Path, institute: str, *, database: str | None = None, heartbeat_seconds: int = 1
) -> Home:
    """Make a home on a free loopback port, with quick heartbeats and retries."""
    address = f"127.0.0.1:{free_port()}"
    home = create_home(
        root / institute,
        institute=institute,
        names={"en": f"Sample institute {institute}"},
        address=address,
        listen=address,
        database=database,
    )

    file = home.path / "comity.toml"
    text = file.read_text()
    text = text.replace("heartbeat_seconds = 10", f"heartbeat_seconds = {heartbeat_seconds}")
    file.write_text(text.replace("retry_max_seconds = 60", "retry_max_seconds = 1"))
    return Home(home.path)


def free_port() -> int:
    """Return a loopback TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def serving(home: Home, clock: Clock = system_clock) -> AsyncIterator[Running]:
    """Serve a home while the context is open."""
    node = Node(home, clock)
    try:
        async with Server(node) as server:
            yield Running(node, server)
    finally:
        node.close()


@asynccontextmanager
async def network(
    root: Path, *institutes: str, policy: str = "open", database: Callable[[str], str] | None = None
) -> AsyncIterator[list[Running]]:
    """Serve institutes that are all each other's peers and all follow one preset."""
    homes = [make_home(root, i, database=database(i) if database else None) for i in institutes]
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(serving(home)) for home in homes]
        for one in running:
            befriend(one, *(other for other in running if other is not one))
            await asyncio.to_thread(one.node.set_policy, load_preset(policy))
        yield running


def befriend(one: HasNode, *others: HasNode) -> None:
    """Pin the bundles of others at one."""
    for other in others:
        one.node.add_peer(other.node.bundle)


async def command(one: Running, *words: str) -> tuple[int, str, str]:
    """Run comity-node on a node's home; return exit code, stdout and stderr."""
    return await command_at(one.node.home, *words)


async def command_at(home: Home, *words: str, answer: str = "") -> tuple[int, str, str]:
    """Run comity-node on a home in a process of its own; return exit code, stdout and stderr."""
    line = (sys.executable, "-m", "comity.node", "--home", str(home.path), *words)
    process = await asyncio.create_subprocess_exec(*line, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate(answer.encode())
    return process.returncode or 0, out.decode(), err.decode()


async def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait until ``condition`` returns something true, and return that."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (result := await asyncio.to_thread(condition)):  # noqa: ASYNC110  a database rings no bell
            await asyncio.sleep(0.02)
        return result


def run(test: Awaitable[None]) -> None:
    """Run a test's coroutine with a limit on its time."""

    async def limited() -> None:
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            await test

    asyncio.run(limited())
