"""Background work of a running node: pulling from every peer, releasing what became due, signing.

Invariants: each peer is pulled from by one process of those that share a database; a peer that is
added, suspended or removed counts within seconds, without a restart; embargoes that end and
standing that changes are acted upon within seconds.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

import structlog

from comity.node.node import Node
from comity.node.server.background.leases import LEASE_MS, give_up, hold
from comity.node.server.background.pull import Pull
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import Bell
from comity.node.trust.peers import pinned_peers
from comity.policies.facts import PeerStatus
from comity.record.errors import BadConfig

POLL_SECONDS: Final = 1.0
"""How late a change made by another process, such as an operator's command, is noticed."""

RELEASE_SECONDS: Final = 2.0
"""How late what time alone brings, such as an embargo's end, is acted upon."""

LEASE_SECONDS: Final = LEASE_MS / 3000
"""How often leases are renewed."""

log = structlog.get_logger()


class Background:
    """Starts and stops the work. Use as an async context manager."""

    def __init__(self, node: Node, bell: Bell) -> None:
        self._node, self._bell = node, bell
        self._holder = secrets.token_hex(8)
        self._pulls: dict[str, tuple[str, asyncio.Task[None]]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> None:
        self._tasks = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._keep_mark()),
            asyncio.create_task(self._watch_peers()),
            asyncio.create_task(self._keep_releasing()),
            asyncio.create_task(self._keep_signing()),
        ]

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._tasks, *(task for _, task in self._pulls.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await in_thread(self._give_up, list(self._pulls))

    async def _listen(self) -> None:
        """Ring for commits, the only thing that is looked for again and again on an idle node."""
        seen = 0
        while True:
            try:
                commits = await in_thread(self._node.store.commits)
            except Exception:
                log.exception("cannot look for commits")
            else:
                if commits != seen:
                    seen = commits
                    self._bell.ring()
            await asyncio.sleep(POLL_SECONDS)

    async def _keep_mark(self) -> None:
        told = ""
        while True:
            try:
                await in_thread(self._node.keep_mark)
            except BadConfig as error:
                if told != str(error):
                    told = str(error)
                    log.error("the mark is not kept", error=told, hint=error.hint)  # noqa: TRY400
            except Exception:
                log.exception("cannot keep the mark")
            else:
                told = ""
            await asyncio.sleep(POLL_SECONDS)

    async def _watch_peers(self) -> None:
        while True:
            heard = self._bell.rings
            try:
                self._follow(await in_thread(self._mine))
            except Exception:
                log.exception("cannot look up the peers")
            await self._bell.wait(heard, LEASE_SECONDS)

    async def _keep_releasing(self) -> None:
        while True:
            heard = self._bell.rings
            try:
                if await in_thread(self._node.release):
                    self._bell.ring()
            except Exception:
                log.exception("cannot release")
            await self._bell.wait(heard, RELEASE_SECONDS)
            await asyncio.sleep(_GATHER_SECONDS)

    async def _keep_signing(self) -> None:
        while True:
            try:
                if await in_thread(self._node.signer.sign):
                    self._bell.ring()
            except Exception:
                log.exception("cannot sign a checkpoint")
            await asyncio.sleep(self._node.home.settings.log.checkpoint_seconds)

    def _follow(self, wanted: dict[str, str]) -> None:
        """Pull from exactly the wanted peers; a peer whose bundle changed is dialled anew."""
        for peer, (fingerprint, task) in list(self._pulls.items()):
            if wanted.get(peer) != fingerprint or task.done():
                task.cancel()
                del self._pulls[peer]
        for peer, fingerprint in wanted.items():
            if peer not in self._pulls:
                task = asyncio.create_task(Pull(self._node, self._bell, peer).run())
                self._pulls[peer] = (fingerprint, task)

    def _mine(self) -> dict[str, str]:
        with self._node.store.read() as session:
            active = {
                row.institute: row.fingerprint
                for row in pinned_peers(session)
                if row.status != PeerStatus.SUSPENDED
            }
        if not self._node.store.shared or not active:
            return active
        with self._node.store.write() as session:
            now = self._node.clock()
            return {
                peer: fingerprint
                for peer, fingerprint in active.items()
                if hold(session, f"pull/{peer}", self._holder, now)
            }

    def _give_up(self, peers: list[str]) -> None:
        if self._node.store.shared and peers:
            with self._node.store.write() as session:
                for peer in peers:
                    give_up(session, f"pull/{peer}", self._holder)


_GATHER_SECONDS: Final = 0.25
"""Changes that come together are released together."""
