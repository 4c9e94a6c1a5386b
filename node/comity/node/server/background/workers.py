"""Background work of a running node: pulling, releasing, signing, and keeping mark and certificate.

Invariants: of the processes that share a database, one pulls from each peer; a peer that is added,
suspended or removed counts within seconds, without a restart; embargoes that end and standing that
changes are acted upon within seconds (invariant 2); work that fails is logged, and goes on with the
next turn.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final

import structlog
from sqlmodel import Session

from comity.node.node import Node
from comity.node.records.quarantine_alarms import next_waiting_time, watch_waiting
from comity.node.release.schedule import next_release_time
from comity.node.server.background.alarm_delivery import AlarmDelivery
from comity.node.server.background.certificate_renewal import Renewal
from comity.node.server.background.lasting_failures import LastingFailures
from comity.node.server.background.leases import LEASE_MS, give_up, hold
from comity.node.server.background.pull import Pull
from comity.node.server.background.ringing import (
    FAILED_SECONDS,
    repeat,
    ring_for_clock,
    ring_for_commits,
)
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import IDLE_SECONDS, Bell
from comity.node.trust.peers import pinned_peers
from comity.policies.facts import PeerStatus
from comity.record.errors import BadConfig

MARK_SECONDS: Final = 1.0
"""The shortest time between two marks, and how late the mark follows a commit."""

RETRY_SECONDS: Final = 2.0
"""How soon what was due and could not be done is tried again, such as a suspended peer's record."""

LEASE_SECONDS: Final = LEASE_MS / 3000
"""How often leases are renewed: three times in their life."""

RENEWAL_RETRY_SECONDS: Final = 60.0
"""The pause after the look at the certificate failed for a reason that nobody foresaw."""

_GATHER_SECONDS: Final = 0.25
"""Changes that come together are released together."""

log = structlog.get_logger()


class Background:
    """The work of one running node."""

    def __init__(self, node: Node, bell: Bell, renewal: Renewal) -> None:
        self._node, self._bell, self._renewal = node, bell, renewal
        self._holder = secrets.token_hex(8)
        self._failures = LastingFailures()
        self._mark_obstacle = ""
        self._pulls: dict[str, tuple[str, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Work until cancelled, then give the leases up."""
        try:
            async with asyncio.TaskGroup() as group:
                for work in self._all_work(group):
                    group.create_task(work)
        finally:
            await in_thread(self._give_up, list(self._pulls))

    def _all_work(self, group: asyncio.TaskGroup) -> list[Coroutine[None, None, None]]:
        node, bell, settings = self._node, self._bell, self._node.home.settings
        work = [
            ring_for_commits(node.store, bell, self._failures),
            ring_for_clock(node.clock, bell),
            self._repeat("cannot keep the mark", self._keep_mark, MARK_SECONDS),
            self._repeat("cannot look up the peers", lambda: self._watch_peers(group)),
            self._repeat("cannot release", self._release),
            self._repeat("cannot try waiting records again", self._retry),
            self._repeat("cannot sign a checkpoint", self._sign, settings.log.checkpoint_seconds),
            self._keep_certificate(),
        ]
        if settings.alarms.command or settings.alarms.webhook:
            work.append(self._repeat("alarms are not delivered", AlarmDelivery(node).turn))
        return work

    async def _repeat(
        self, failure: str, work: Callable[[], Awaitable[float]], pause: float = _GATHER_SECONDS
    ) -> None:
        await repeat(self._bell, self._failures, failure, work, pause)

    async def _keep_mark(self) -> float:
        """Note outside the database how far it is."""
        try:
            await in_thread(self._node.keep_mark)
        except BadConfig as error:
            # an obstacle that stays is told once, not every second
            if self._mark_obstacle != str(error):
                self._mark_obstacle = str(error)
                log.error("the mark is not kept", error=str(error), hint=error.hint)  # noqa: TRY400
            return MARK_SECONDS
        self._mark_obstacle = ""
        return IDLE_SECONDS

    async def _watch_peers(self, group: asyncio.TaskGroup) -> float:
        """Start and stop pulls as peers come and go, and renew their leases."""
        self._follow(await in_thread(self._mine), group)
        return LEASE_SECONDS if self._node.store.shared else IDLE_SECONDS

    async def _release(self) -> float:
        """Release what is due, until time alone makes more of it due."""
        # read before the release: what becomes due meanwhile is due at once
        now = self._node.clock()
        if await in_thread(self._node.release):
            self._bell.ring()
        return self._seconds_to(await in_thread(self._next_time, next_release_time, now))

    async def _retry(self) -> float:
        """Take the records that waited, once time has made them acceptable."""
        now = self._node.clock()
        if await in_thread(self._node.waiting.retry_due):
            self._bell.ring()
        await in_thread(watch_waiting, self._node.store, now)

        due = await in_thread(self._next_time, next_waiting_time, now)
        return self._seconds_to(due)

    async def _sign(self) -> float:
        """Sign a checkpoint of the log if it has grown."""
        if await in_thread(self._node.signer.sign):
            self._bell.ring()
        return IDLE_SECONDS

    def _next_time(self, look: Callable[[Session, int], int | None], now: int) -> int | None:
        with self._node.store.read() as session:
            return look(session, now)

    def _seconds_to(self, due: int | None) -> float:
        if due is None:
            return IDLE_SECONDS
        seconds = (due - self._node.clock()) / 1000
        return min(seconds, IDLE_SECONDS) if seconds > 0 else RETRY_SECONDS

    async def _keep_certificate(self) -> None:
        """Renew the node's certificate long before it ends."""
        while True:
            with self._failures.told("cannot renew the certificate"):
                await self._renewal.run()
            await asyncio.sleep(RENEWAL_RETRY_SECONDS)

    async def _pull(self, peer: str) -> None:
        while True:
            with self._failures.told("pull failed"):
                await Pull(self._node, self._bell, peer, self._failures).run()
            await asyncio.sleep(FAILED_SECONDS)

    def _follow(self, wanted: dict[str, str], group: asyncio.TaskGroup) -> None:
        """Pull from exactly the wanted peers; a peer whose bundle changed is dialled anew."""
        for peer, (fingerprint, task) in list(self._pulls.items()):
            if wanted.get(peer) != fingerprint:
                task.cancel()
                del self._pulls[peer]

        for peer, fingerprint in wanted.items():
            if peer not in self._pulls:
                self._pulls[peer] = (fingerprint, group.create_task(self._pull(peer)))

    def _mine(self) -> dict[str, str]:
        """Return the fingerprint of each peer from which this process is to pull."""
        with self._node.store.read() as session:
            active = {
                row.institute: row.fingerprint
                for row in pinned_peers(session)
                if row.status != PeerStatus.SUSPENDED
            }
        if not self._node.store.shared or not active:
            return active

        # several processes may be at work: a peer is for the one that holds its lease, whose life
        # all of them know, so that no renewal has to wake them
        with self._node.store.write(counted=False) as session:
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
