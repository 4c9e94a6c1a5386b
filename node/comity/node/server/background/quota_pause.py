"""On one stream: waiting until the sender's quota lets its next batch be taken."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from comity.node.database.clock import to_datetime
from comity.node.node import Node
from comity.node.server.background.peer_stream import PeerStream
from comity.node.server.threads import in_thread
from comity.record.times import format_time

QUOTA_SECONDS: Final = 5.0
"""How late a peer is taken from again after its quota allows it."""

log = structlog.get_logger()


async def quota_allows(node: Node, peer: str, stream: PeerStream) -> None:
    """Return once a peer's quota lets more be taken; tell the peer if that takes time.

    What the peer sends meanwhile waits: gRPC lets it send no more than a few batches.

    Raises: as ``PeerStream.send_pause``.
    """
    told = 0
    while until := await in_thread(node.inbox.paused_until, peer):
        if told != until:
            told = until
            await stream.send_pause(until)
            time = format_time(to_datetime(until))
            log.warning("quota used up, nothing is taken", peer=peer, until=time)
        await asyncio.sleep(QUOTA_SECONDS)
