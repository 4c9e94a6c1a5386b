"""ExchangeService: the calls of peers' nodes.

Invariants: every answer is about the caller and nobody else; a stream sends nothing to a peer that
is not active, whenever that changed; at most WINDOW batches wait for a receipt.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from comity.node.database.cursors import make_cursor, read_cursor
from comity.node.database.owner import epoch_of
from comity.node.node import Node
from comity.node.release.standing_report import report_standing
from comity.node.replication.clock_skew import note_caller_time
from comity.node.replication.ledger import list_ledger
from comity.node.replication.not_stored import believed_waiting
from comity.node.replication.outbox import next_batch
from comity.node.replication.peer_receipts import keep_receipt
from comity.node.replication.quota import note_paused
from comity.node.server.guard import CALLER
from comity.node.server.services.exchange_messages import (
    batch_to_proto,
    ledger_to_proto,
    standing_to_proto,
)
from comity.node.server.services.timestamps import from_timestamp, to_timestamp
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import Bell
from comity.node.trust.peers import get_peer
from comity.node.trust.root_chains import newest_version, page_after
from comity.node.witness.gossip import checkpoints_to_share, take_shared_checkpoints
from comity.node.witness.received_cosignatures import keep_cosignature
from comity.policies.facts import PeerStatus
from comity.record.envelope import Envelope
from comity.record.errors import BadReceipt, Forbidden, InvalidInput
from comity.record.wire import envelope_from_proto
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import exchange_service_pb2_grpc as rpc

WINDOW: Final = 4
"""Most batches on their way without a receipt: enough to hide the round trip, bounded memory."""

MAX_PAUSES: Final = 64
"""Pauses that a receiver may tell of on one stream: it needs one a day."""


class ExchangeServicer(rpc.ExchangeServiceServicer):
    """For the nodes of pinned peers."""

    def __init__(self, node: Node, bell: Bell, stopping: asyncio.Event) -> None:
        self._node, self._bell, self._stopping = node, bell, stopping

    async def Replicate(  # noqa: N802
        self, requests: AsyncIterator[pb.ReplicateRequest], context: Any
    ) -> AsyncIterator[pb.ReplicateResponse]:
        """Stream what was released to the caller, as long as receipts come back."""
        peer = CALLER.get().institute
        incoming = aiter(requests)

        # the receiver says where it is, and is told which of its receipts are here
        first = await anext(incoming, None)
        if first is None or first.WhichOneof("message") != "start":
            raise InvalidInput("expected start as the first message", field="message")
        told = from_timestamp(first.start.time)
        await in_thread(note_caller_time, self._node.store, peer, told, self._node.clock())
        after, accepted = await in_thread(self._start, peer, first.start.cursor)
        stream = _Outgoing(self._node, self._bell, self._stopping, peer, after)
        yield await in_thread(stream.accept, accepted)

        # batches go out while receipts come in
        reading = asyncio.create_task(stream.read_receipts(incoming))
        try:
            async for response in stream.responses(reading):
                yield response
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def ListRoots(  # noqa: N802
        self, request: pb.ListRootsRequest, context: Any
    ) -> pb.ListRootsResponse:
        """Return a page of the versions of this institute's root."""
        return await in_thread(self._roots, request.after_version)

    async def GetStanding(  # noqa: N802
        self, request: pb.GetStandingRequest, context: Any
    ) -> pb.GetStandingResponse:
        """Tell a peer its own standing."""
        return await in_thread(self._standing, CALLER.get().institute)

    async def ListLedger(  # noqa: N802
        self, request: pb.ListLedgerRequest, context: Any
    ) -> pb.ListLedgerResponse:
        """Return a page of the ledger with a peer."""
        return await in_thread(self._ledger, CALLER.get().institute, request)

    async def AddCosignature(  # noqa: N802
        self, request: pb.AddCosignatureRequest, context: Any
    ) -> pb.AddCosignatureResponse:
        """Keep the caller's cosignature under a checkpoint of this institute's log."""
        peer, line = CALLER.get().institute, request.cosignature
        await in_thread(keep_cosignature, self._node, peer, request.size, line)
        return pb.AddCosignatureResponse()

    async def ShareCheckpoints(  # noqa: N802
        self, request: pb.ShareCheckpointsRequest, context: Any
    ) -> pb.ShareCheckpointsResponse:
        """Take the checkpoints that the caller has seen of other logs; answer with ours."""
        await in_thread(
            take_shared_checkpoints, self._node, CALLER.get().institute, list(request.checkpoints)
        )
        return pb.ShareCheckpointsResponse(
            checkpoints=await in_thread(checkpoints_to_share, self._node)
        )

    def _standing(self, peer: str) -> pb.GetStandingResponse:
        with self._node.store.read() as session:
            report = report_standing(session, get_peer(session, peer), self._node.clock())
        return standing_to_proto(report)

    def _ledger(self, peer: str, request: pb.ListLedgerRequest) -> pb.ListLedgerResponse:
        with self._node.store.read() as session:
            page, token = list_ledger(session, peer, request.page_size, request.page_token)
        return ledger_to_proto(page, token)

    def _roots(self, after: int) -> pb.ListRootsResponse:
        with self._node.store.read() as session:
            return pb.ListRootsResponse(roots=page_after(session, self._node.institute, after))

    def _start(self, peer: str, cursor: str) -> tuple[int, pb.Accepted]:
        with self._node.store.read() as session:
            row = get_peer(session, peer)
            _check_active(row.status, peer)
            epoch = epoch_of(session)
            after = read_cursor(cursor, epoch, row.offered)
            waiting = believed_waiting(session, peer)
        heartbeat = self._node.home.settings.replication.heartbeat_seconds
        receipted = make_cursor(epoch, row.receipted) if row.receipted else ""
        return after, pb.Accepted(
            receipted_cursor=receipted,
            heartbeat_seconds=heartbeat,
            waiting_record_ids=waiting,
            time=to_timestamp(self._node.clock()),
        )


class _Outgoing:
    """One open stream: batches go out while receipts come in."""

    def __init__(
        self, node: Node, bell: Bell, stopping: asyncio.Event, peer: str, after: int
    ) -> None:
        self._node, self._bell, self._stopping, self._peer = node, bell, stopping, peer
        self._sent = after
        self._open_batches: list[int] = []
        self._progress = Bell()
        self._root_version = 0

    def accept(self, accepted: pb.Accepted) -> pb.ReplicateResponse:
        """Return the first message."""
        with self._node.store.read() as session:
            self._root_version = newest_version(session, self._node.institute)
        return pb.ReplicateResponse(accepted=accepted, root_version=self._root_version)

    async def responses(self, reading: asyncio.Task[None]) -> AsyncIterator[pb.ReplicateResponse]:
        """Yield batches and heartbeats until the peer hangs up or the node stops."""
        heartbeat = self._node.home.settings.replication.heartbeat_seconds
        loop = asyncio.get_running_loop()
        last_sent = loop.time()

        while not (reading.done() or self._stopping.is_set()):
            # counted before looking, so that a ring that comes meanwhile is not slept through
            heard, progress = self._bell.rings, self._progress.rings
            batch, is_news = await in_thread(self._look)
            if batch is not None:
                yield pb.ReplicateResponse(batch=batch, root_version=self._root_version)
                last_sent = loop.time()
            elif is_news or loop.time() - last_sent >= heartbeat:
                beat = pb.Heartbeat(time=to_timestamp(self._node.clock()))
                yield pb.ReplicateResponse(heartbeat=beat, root_version=self._root_version)
                last_sent = loop.time()
            elif self._open_batches:
                await self._progress.wait(progress, min(heartbeat, 1))
            else:
                await self._bell.wait(heard, heartbeat)

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
                self._progress.ring()
        finally:
            # wakes the other side of the stream, which ends with the same error
            self._progress.ring()
            self._bell.ring()

    def _look(self) -> tuple[pb.Batch | None, bool]:
        """Return the next batch, and whether there is a new version of the root.

        The batch is None if none waits, or if WINDOW batches are on their way without a receipt.
        """
        with self._node.store.read() as session:
            _check_active(get_peer(session, self._peer).status, self._peer)
            version = newest_version(session, self._node.institute)
            is_news, self._root_version = version != self._root_version, version
            has_room = len(self._open_batches) < WINDOW
            found = next_batch(session, self._peer, self._sent) if has_room else None

        if found is None:
            return None, is_news
        batch, self._sent = found
        self._open_batches.append(self._sent)
        return batch_to_proto(batch), is_news

    def _keep(self, envelope: Envelope) -> int:
        with self._node.store.write() as session:
            return keep_receipt(session, self._peer, envelope, self._node.clock())


def _check_active(status: str, peer: str) -> None:
    if status not in (PeerStatus.MEMBER, PeerStatus.PROBATION):
        raise Forbidden(f"{peer} is {status} here", hint="ask the operator of this node")
