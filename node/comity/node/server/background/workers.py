"""Background work of a running node: pulling, releasing, signing, and keeping mark and certificate.

Invariants: of the processes that share a database, one pulls from each peer; a peer that is added,
suspended or removed counts within seconds, without a restart; embargoes that end and standing that
changes are acted upon within seconds (invariant 2); work that fails is logged, and goes on with the
next turn.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

import structlog

from comity.node.node import Node
from comity.node.records.quarantine_alarms import watch_waiting
from comity.node.server.background.alarm_delivery import AlarmDelivery
from comity.node.server.background.certificate_renewal import Renewal
from comity.node.server.background.lasting_failures import LastingFailures
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
"""How late an event that time alone brings, such as an embargo's end, is acted upon."""

RETRY_SECONDS: Final = 5.0
"""How late a waiting record is taken that time alone makes acceptable."""

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
        self._pulls: dict[str, tuple[str, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Work until cancelled, then give the leases up."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen())
                group.create_task(self._keep_mark())
                group.create_task(self._watch_peers(group))
                group.create_task(self._keep_releasing())
                group.create_task(self._keep_retrying())
                group.create_task(self._keep_signing())
                group.create_task(self._keep_certificate())
                group.create_task(self._deliver_alarms())
        finally:
            await in_thread(self._give_up, list(self._pulls))

    async def _listen(self) -> None:
        """Ring for commits, the only thing that is looked for again and again on an idle node."""
        seen = 0
        while True:
            with self._failures.told("cannot look for commits"):
                commits = await in_thread(self._node.store.commits)
                if commits != seen:
                    seen = commits
                    self._bell.ring()
            await asyncio.sleep(POLL_SECONDS)

    async def _keep_mark(self) -> None:
        """Note each second, outside the database, how far it is."""
        told = ""
        while True:
            with self._failures.told("cannot keep the mark"):
                try:
                    await in_thread(self._node.keep_mark)
                    told = ""
                except BadConfig as error:
                    # an obstacle that stays is told once, not every second
                    if told != str(error):
                        told = str(error)
                        log.error("the mark is not kept", error=told, hint=error.hint)  # noqa: TRY400
            await asyncio.sleep(POLL_SECONDS)

    async def _watch_peers(self, group: asyncio.TaskGroup) -> None:
        """Start and stop pulls as peers come and go, and renew their leases."""
        while True:
            heard = self._bell.rings
            with self._failures.told("cannot look up the peers"):
                self._follow(await in_thread(self._mine), group)
            await self._bell.wait(heard, LEASE_SECONDS)

    async def _keep_releasing(self) -> None:
        """Release after each commit, and at the latest after RELEASE_SECONDS."""
        while True:
            heard = self._bell.rings
            with self._failures.told("cannot release"):
                if await in_thread(self._node.release):
                    self._bell.ring()
            await self._bell.wait(heard, RELEASE_SECONDS)
            await asyncio.sleep(_GATHER_SECONDS)

    async def _keep_retrying(self) -> None:
        """Take the records that waited, once time has made them acceptable."""
        while True:
            with self._failures.told("cannot try waiting records again"):
                if await in_thread(self._node.waiting.retry_due):
                    self._bell.ring()
                await in_thread(watch_waiting, self._node.store, self._node.clock())
            await asyncio.sleep(RETRY_SECONDS)

    async def _keep_signing(self) -> None:
        """Sign a checkpoint of the log whenever it has grown."""
        while True:
            with self._failures.told("cannot sign a checkpoint"):
                if await in_thread(self._node.signer.sign):
                    self._bell.ring()
            await asyncio.sleep(self._node.home.settings.log.checkpoint_seconds)

    async def _keep_certificate(self) -> None:
        """Renew the node's certificate long before it ends."""
        while True:
            with self._failures.told("cannot renew the certificate"):
                await self._renewal.run()
            await asyncio.sleep(RENEWAL_RETRY_SECONDS)

    async def _deliver_alarms(self) -> None:
        """Let each new alarm reach people, if the settings say how."""
        settings = self._node.home.settings.alarms
        if not (settings.command or settings.webhook):
            return

        delivery = AlarmDelivery(self._node)
        while True:
            heard, wait = self._bell.rings, RENEWAL_RETRY_SECONDS
            with self._failures.told("alarms are not delivered"):
                wait = await delivery.turn()
            await self._bell.wait(heard, wait)

    async def _pull(self, peer: str) -> None:
        with self._failures.told("pull failed"):
            await Pull(self._node, self._bell, peer, self._failures).run()

    def _follow(self, wanted: dict[str, str], group: asyncio.TaskGroup) -> None:
        """Pull from exactly the wanted peers; a peer whose bundle changed is dialled anew."""
        for peer, (fingerprint, task) in list(self._pulls.items()):
            if wanted.get(peer) != fingerprint or task.done():
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

        # several processes may be at work: a peer is for the one that holds its lease
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
