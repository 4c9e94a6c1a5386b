"""The sender's end of one replication stream: batches and news go out while receipts come in.

Invariants: a stream sends nothing to a peer that is not active, whenever that changed; at most
WINDOW batches wait for a receipt; a stream on which nothing happens costs one heartbeat in
``heartbeat_seconds``, and no look at the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from comity.node.database.tables import PeerRow
from comity.node.log.proofs import newest_size
from comity.node.node import Node
from comity.node.replication.outbox import next_batch
from comity.node.replication.peer_receipts import keep_receipt
from comity.node.replication.quota import note_paused
from comity.node.server.services.exchange_messages import batch_to_proto
from comity.node.server.services.timestamps import from_timestamp, to_timestamp
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import Bell
from comity.node.trust.peers import get_peer
from comity.node.trust.root_chains import newest_version
from comity.policies.facts import PeerStatus
from comity.record.envelope import Envelope
from comity.record.errors import BadReceipt, Forbidden
from comity.record.wire import envelope_from_proto
from comity.v1 import exchange_service_pb2 as pb

WINDOW: Final = 4
"""Most batches on their way without a receipt: enough to hide the round trip, bounded memory."""

MAX_PAUSES: Final = 64
"""Pauses that a receiver may tell of on one stream: it needs one a day."""

NEWS_SECONDS: Final = 1.0
"""Shortest time between two heartbeats that tell of a new checkpoint."""


@dataclass(frozen=True, slots=True)
class _News:
    """What each message tells: the version of the own root, and the size of the signed log."""

    root_version: int
    log_size: int


class OutgoingStream:
    """One open stream to ``peer``, which holds the offers up to ``after``.

    ``bell`` is the stream's own branch of the node's. ``follows_log`` says that the peer wants to
    be told of new checkpoints.
    """

    def __init__(
        self,
        node: Node,
        bell: Bell,
        stopping: asyncio.Event,
        peer: str,
        after: int,
        *,
        follows_log: bool,
    ) -> None:
        self._node, self._bell, self._stopping, self._peer = node, bell, stopping, peer
        self._sent, self._follows_log = after, follows_log
        self._open_batches: list[int] = []
        self._known = self._told = _News(0, 0)
        self._last_sent = self._last_beat = 0.0

    def accept(self, accepted: pb.Accepted) -> pb.ReplicateResponse:
        """Return the first message."""
        with self._node.store.read() as session:
            self._known = _news(session, self._node.institute)
        return self._message(accepted=accepted)

    async def responses(self, reading: asyncio.Task[None]) -> AsyncIterator[pb.ReplicateResponse]:
        """Yield batches and heartbeats until the peer hangs up or the node stops."""
        loop, looked = asyncio.get_running_loop(), -1
        self._last_sent = loop.time()

        while not (reading.done() or self._stopping.is_set()):
            # counted before looking, so that a ring that comes meanwhile is not slept through
            heard, batch = self._bell.rings, None
            if heard != looked:
                batch = await in_thread(self._look)
            if batch is not None:
                yield self._message(batch=batch)
                self._last_sent = loop.time()
                continue

            # nothing more waits until the bell rings: the time of the next heartbeat is known
            looked, due = heard, self._next_beat()
            if due <= loop.time():
                beat = pb.Heartbeat(time=to_timestamp(self._node.clock()))
                yield self._message(heartbeat=beat)
                self._last_sent = self._last_beat = loop.time()
            else:
                await self._bell.wait(heard, due - loop.time())

        # an error of the receipts' side is this stream's error
        if reading.done():
            reading.result()

    async def read_receipts(self, requests: AsyncIterator[pb.ReplicateRequest]) -> None:
        """Keep each receipt that comes, until the peer ends its side."""
        try:
            pauses = 0
            async for request in requests:
                kind = request.WhichOneof("message")
                if kind == "pause" and pauses < MAX_PAUSES:
                    pauses += 1
                    end = from_timestamp(request.pause.until_time)
                    store, now = self._node.store, self._node.clock()
                    await in_thread(note_paused, store, self._peer, end, now)
                    continue
                if kind != "receipt":
                    raise BadReceipt(f"expected a receipt, got {kind}", field="message")

                envelope = envelope_from_proto(request.receipt.envelope)
                last = await in_thread(self._keep, envelope)
                self._open_batches = [number for number in self._open_batches if number > last]
                self._bell.ring()
        finally:
            # wakes the other side of the stream, which ends with the same error
            self._bell.ring()

    def _next_beat(self) -> float:
        """Return the loop's time at which a heartbeat is due, unless something is sent before."""
        if self._known.root_version != self._told.root_version:
            return 0
        beat = self._last_sent + self._node.home.settings.replication.heartbeat_seconds
        if self._follows_log and self._known != self._told:
            return min(beat, self._last_beat + NEWS_SECONDS)
        return beat

    def _message(
        self,
        accepted: pb.Accepted | None = None,
        batch: pb.Batch | None = None,
        heartbeat: pb.Heartbeat | None = None,
    ) -> pb.ReplicateResponse:
        news = self._told = self._known
        return pb.ReplicateResponse(
            accepted=accepted,
            batch=batch,
            heartbeat=heartbeat,
            root_version=news.root_version,
            log_size=news.log_size,
        )

    def _look(self) -> pb.Batch | None:
        """Learn the news; return the next batch.

        The batch is None if none waits, or if WINDOW batches are on their way without a receipt.
        """
        with self._node.store.read() as session:
            check_active(get_peer(session, self._peer))
            self._known = _news(session, self._node.institute)
            has_room = len(self._open_batches) < WINDOW
            found = next_batch(session, self._peer, self._sent) if has_room else None

        if found is None:
            return None
        batch, self._sent = found
        self._open_batches.append(self._sent)
        return batch_to_proto(batch)

    def _keep(self, envelope: Envelope) -> int:
        with self._node.store.write() as session:
            return keep_receipt(session, self._peer, envelope, self._node.clock())


def check_active(row: PeerRow) -> None:
    """Check that a peer may be sent anything.

    Raises:
        Forbidden: it is neither a member nor on probation.
    """
    if row.status not in (PeerStatus.MEMBER, PeerStatus.PROBATION):
        message = f"{row.institute} is {row.status} here"
        raise Forbidden(message, hint="ask the operator of this node")


def _news(session: Session, institute: str) -> _News:
    return _News(newest_version(session, institute), newest_size(session))
