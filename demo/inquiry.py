"""Asks the nodes, as their own people do: over mTLS, with a profile, every record verified.

Invariant: what is observed comes from the nodes' public services and from nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from comity.client.connection.channel import open_channel
from comity.client.connection.log_client import LogClient
from comity.client.connection.node_client import NodeClient, connect
from comity.client.connection.profile import Profile
from comity.client.monitor.look import Monitor
from comity.client.monitor.report import Report
from comity.client.monitor.sources import NodeSource
from comity.client.verify.trust import Trust
from comity.record.bundle import TrustBundle
from comity.record.checkpoint import open_checkpoint
from comity.record.cosignature import cosignatures
from comity.record.errors import NotFound
from comity.record.keys import SigningKey
from comity.record.note import Verifier
from comity.record.spiffe import Role, SpiffeId
from comity.v1 import admin_service_pb2, audit_service_pb2
from demo import network
from demo.cards import Card
from demo.ceremony import Followed
from demo.expectation import EMBARGO, HEADER, UNPERMITTED, Pair, Piece
from demo.logs import SeenLog
from demo.network import Member
from demo.outcome import Observed

_Explained = tuple[tuple[Pair, Piece], admin_service_pb2.PartExplanation]


class Inquiry:
    """Connections to the nodes, opened when first needed; use it as a context manager.

    ``ids`` are the record ids by card name, ``folder`` is the network's.
    """

    def __init__(self, members: Sequence[Member], ids: dict[str, str]) -> None:
        self._members = {member.institute.id: member for member in members}
        self._stack = AsyncExitStack()
        self._nodes: dict[tuple[str, Role], NodeClient] = {}
        self.ids = ids
        self.folder = members[0].folder

    async def __aenter__(self) -> Inquiry:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def node(self, institute: str, role: Role) -> NodeClient:
        """Return the connection of an institute's person to its node."""
        key = institute, role
        if key not in self._nodes:
            profile = Profile.load(self._members[institute].profile(role))
            self._nodes[key] = await self._stack.enter_async_context(connect(profile))
        return self._nodes[key]

    def renew(self, institute: str, bundle: TrustBundle) -> None:
        """Give an institute's people profiles with its new bundle, with which they connect anew."""
        network.grant_profiles(self._members[institute], bundle)
        for role in Role:
            self._nodes.pop((institute, role), None)

    async def publish(self, card: Card, key: SigningKey) -> None:
        """Sign a card with its issuer's key and publish it at its node, as the operator does."""
        record = card.draft.sign(SpiffeId(card.issuer, Role.NODE), key)
        node = await self.node(card.issuer, Role.OPERATOR)
        self.ids[card.name] = (await node.publish(record)).record_id

    async def holds(self, institute: str, card: Card) -> bool:
        """Whether an institute's node has a card that was published."""
        node = await self.node(institute, Role.AUDITOR)
        try:
            await node.get(self.ids[card.name])
        except NotFound:
            return False
        return True

    async def followed(self, institute: str, card: Card) -> Followed:
        """Return what an institute's node has pinned of a card's issuer, and who signed the card.

        Raises:
            NotFound: the card is not there.
        """
        node = await self.node(institute, Role.AUDITOR)
        await node.refresh_bundles()
        bundle = next(b for b in node.bundles if b.institute == card.issuer)
        result = await node.get(self.ids[card.name])
        return Followed(bundle, result.opened.record.envelope.keyid)

    async def statuses(self) -> dict[str, admin_service_pb2.GetStatusResponse]:
        """Return how every node is."""
        return {i: await (await self.node(i, Role.AUDITOR)).status() for i in self._members}

    async def logs(self) -> dict[str, SeenLog]:
        """Return what every node shows of its log, each checked against the keys that are pinned.

        Raises:
            InvalidInput: a checkpoint, or a cosignature on it, does not verify.
        """
        found = await asyncio.gather(*(self._log(institute) for institute in self._members))
        return dict(zip(self._members, found, strict=True))

    async def monitor(self, institute: str, step: Callable[[], None]) -> list[Report]:
        """Look at every log as an institute's auditor, whom the peers' nodes answer."""
        node = await self.node(institute, Role.AUDITOR)
        profile = Profile.load(self._members[institute].profile(Role.AUDITOR))
        identity = profile.certificate.encode(), profile.private_key.encode()
        look = Monitor(Trust(node.bundles), self.folder / "monitor", node, datetime.now(UTC))
        await look.prepare()
        reports = []
        for bundle in sorted(node.bundles, key=lambda bundle: bundle.institute):
            async with open_channel(bundle, *identity) as channel:
                source = NodeSource(LogClient(channel, bundle), bundle.institute)
                reports.append(await look.look(bundle.institute, source, lambda *_: None))
            step()
        return reports

    async def _log(self, institute: str) -> SeenLog:
        node = await self.node(institute, Role.AUDITOR)
        trust = Trust(node.bundles)
        data = await node.log.checkpoint()
        checkpoint, note = open_checkpoint(data, trust.log_keys(institute))
        keys = {Verifier.parse(key): b.institute for b in node.bundles for key in b.witness_keys}
        witnesses = frozenset(keys[found.witness] for found in cosignatures(note, keys))
        alarms = (await node.status()).alarms
        told = tuple(f"{alarm.reason} about {alarm.institute}" for alarm in alarms)
        return SeenLog(checkpoint.size, checkpoint.root, witnesses, told)

    async def observe(self) -> Observed:
        """Ask every node for all that can be compared."""
        observed = Observed({}, {}, {}, {}, {}, {})
        await asyncio.gather(*(self._observe(i, observed) for i in self._members))
        return observed

    async def _observe(self, institute: str, observed: Observed) -> None:
        node = await self.node(institute, Role.AUDITOR)
        observed.holdings[institute] = await self._holdings(node)
        observed.releases.update(await self._releases(institute, node))
        for key, part in await self._explanations(institute, node):
            observed.reasons[key], observed.messages[key] = _reason(part), part.message
        peers = (await node.status()).peers
        observed.refused[institute] = sum(peer.refused + peer.waiting for peer in peers)
        for peer in peers:
            observed.unsigned[institute, peer.institute] = peer.released - peer.receipted

    async def _holdings(self, node: NodeClient) -> set[Piece]:
        names, held = self._names(), set[Piece]()
        async for result in node.search(include_superseded=True):
            name = names[result.record_id]
            held.add((name, HEADER))
            held |= {(name, disclosure.name) for disclosure in result.opened.disclosures.values()}
        return held

    async def _releases(self, institute: str, node: NodeClient) -> dict[Pair, set[Piece]]:
        names, released = self._names(), dict[Pair, set[Piece]]()
        async for release in node.releases():
            pieces = released.setdefault((institute, release.peer), set())
            pieces.add((names[release.record_id], release.section))
        return released

    async def _explanations(self, institute: str, node: NodeClient) -> list[_Explained]:
        short = self._members[institute].institute.short
        own = {n: i for n, i in self.ids.items() if n.partition("/")[0] == short}
        return [
            (((institute, peer), (name, part.section)), part)
            for peer in self._members.keys() - {institute}
            for name, record_id in own.items()
            for part in (await node.explain(peer, record_id)).parts
        ]

    def _names(self) -> dict[str, str]:
        return {record_id: name for name, record_id in self.ids.items()}


async def releases_of(node: NodeClient, record_id: str) -> list[audit_service_pb2.Release]:
    """Return what a node has released of one record, oldest first."""
    return [release async for release in node.releases(record_id=record_id)][::-1]


def _reason(part: admin_service_pb2.PartExplanation) -> frozenset[str]:
    if part.message.startswith("under embargo"):
        return frozenset({EMBARGO})
    if not part.allowed and not part.rules:
        return frozenset({UNPERMITTED})
    return frozenset(part.rules)
