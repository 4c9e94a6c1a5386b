"""Asks the nodes, as their own people do: over mTLS, with a profile, every record verified.

Invariant: what is observed comes from the nodes' public services and from nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from comity.client.node import Node, connect
from comity.client.profile import Profile
from comity.record.spiffe import Role
from comity.v1 import admin_service_pb2, audit_service_pb2
from demo.cards import Card
from demo.expectation import EMBARGO, HEADER, UNPERMITTED, Pair, Piece
from demo.network import Member
from demo.outcome import Observed


class Inquiry:
    """Connections to the nodes, opened when first needed; use it as a context manager.

    ``ids`` are the record ids by card name, known once ``publish`` has been called.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = {member.institute.id: member for member in members}
        self._stack = AsyncExitStack()
        self._nodes: dict[tuple[str, Role], Node] = {}
        self.ids: dict[str, str] = {}

    async def __aenter__(self) -> Inquiry:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def node(self, institute: str, role: Role) -> Node:
        """Return the connection of an institute's person to its node."""
        key = institute, role
        if key not in self._nodes:
            profile = Profile.load(self._members[institute].profile(role))
            self._nodes[key] = await self._stack.enter_async_context(connect(profile))
        return self._nodes[key]

    async def publish(self, card: Card) -> None:
        """Sign a card with its issuer's key and publish it at its node, as the operator does."""
        home = self._members[card.issuer].open_home()
        record = card.draft.sign(home.node_id, home.record_key())
        node = await self.node(card.issuer, Role.OPERATOR)
        self.ids[card.name] = (await node.publish(record)).record_id

    async def statuses(self) -> dict[str, admin_service_pb2.GetStatusResponse]:
        """Return how every node is."""
        return {i: await (await self.node(i, Role.AUDITOR)).status() for i in self._members}

    async def observe(self) -> Observed:
        """Ask every node for all that can be compared."""
        accounts = await asyncio.gather(*(self._account(i) for i in self._members))
        merged = Observed({}, {}, {}, {}, {})
        for account in accounts:
            merged.holdings.update(account.holdings)
            merged.releases.update(account.releases)
            merged.reasons.update(account.reasons)
            merged.unsigned.update(account.unsigned)
            merged.refused.update(account.refused)
        return merged

    async def _account(self, institute: str) -> Observed:
        node = await self.node(institute, Role.AUDITOR)
        peers = (await node.status()).peers
        return Observed(
            holdings={institute: await self._holdings(node)},
            releases=await self._releases(institute, node),
            reasons=await self._reasons(institute, node),
            unsigned={(institute, p.institute): p.released - p.receipted for p in peers},
            refused={institute: sum(p.quarantined for p in peers)},
        )

    async def _holdings(self, node: Node) -> set[Piece]:
        names, held = self._names(), set[Piece]()
        async for result in node.search(include_superseded=True):
            name = names[result.record_id]
            held.add((name, HEADER))
            held |= {(name, disclosure.name) for disclosure in result.opened.disclosures.values()}
        return held

    async def _releases(self, institute: str, node: Node) -> dict[Pair, set[Piece]]:
        names, released = self._names(), dict[Pair, set[Piece]]()
        async for release in node.releases():
            pieces = released.setdefault((institute, release.peer), set())
            pieces.add((names[release.record_id], release.section))
        return released

    async def _reasons(
        self, institute: str, node: Node
    ) -> dict[tuple[Pair, Piece], frozenset[str]]:
        own = {n: i for n, i in self.ids.items() if self._short(institute) == n.partition("/")[0]}
        reasons = {}
        for peer in self._members.keys() - {institute}:
            for name, record_id in own.items():
                for part in (await node.explain(peer, record_id)).parts:
                    reasons[(institute, peer), (name, part.section)] = _reason(part)
        return reasons

    def _names(self) -> dict[str, str]:
        return {record_id: name for name, record_id in self.ids.items()}

    def _short(self, institute: str) -> str:
        return self._members[institute].institute.short


async def releases_of(node: Node, record_id: str) -> list[audit_service_pb2.Release]:
    """Return what a node has released of one record, oldest first."""
    return [release async for release in node.releases(record_id=record_id)][::-1]


def _reason(part: admin_service_pb2.PartExplanation) -> frozenset[str]:
    if part.message.startswith("under embargo"):
        return frozenset({EMBARGO})
    if not part.allowed and not part.rules:
        return frozenset({UNPERMITTED})
    return frozenset(part.rules)
