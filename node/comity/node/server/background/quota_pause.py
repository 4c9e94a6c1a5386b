"""On one stream: waiting until the sender's quota lets its next batch be taken."""

from __future__ import annotations

import structlog

from comity.node.database.clock import to_datetime
from comity.node.node import Node
from comity.node.server.background.peer_stream import PeerStream
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import IDLE_SECONDS, Bell
from comity.record.times import format_time

log = structlog.get_logger()


async def quota_allows(node: Node, bell: Bell, peer: str, stream: PeerStream) -> None:
    """Return once a peer's quota lets more be taken; tell the peer if that takes time.

    What the peer sends meanwhile waits: gRPC lets it send no more than a few batches.

    Raises: as ``PeerStream.send_pause``.
    """
    told = 0
    while True:
        heard, until = bell.rings, await in_thread(node.inbox.paused_until, peer)
        if until is None:
            return
        if told != until:
            told = until
            await stream.send_pause(until)
            time = format_time(to_datetime(until))
            log.warning("quota used up, nothing is taken", peer=peer, until=time)
        # a clock that is set rings, and so does what the operator changes
        await bell.wait(heard, min(max((until - node.clock()) / 1000, 1), IDLE_SECONDS))
