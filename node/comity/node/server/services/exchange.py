"""ExchangeService: the calls of peers' nodes.

Invariant: every answer is about the caller and nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from comity.node.database.cursors import make_cursor, read_cursor
from comity.node.database.owner import epoch_of
from comity.node.node import Node
from comity.node.release.standing_report import report_standing
from comity.node.replication.clock_skew import note_caller_time
from comity.node.replication.ledger import list_ledger
from comity.node.replication.not_stored import believed_waiting
from comity.node.server.guard import CALLER
from comity.node.server.services.exchange_messages import (
    ledger_to_proto,
    standing_to_proto,
)
from comity.node.server.services.outgoing_stream import OutgoingStream, check_active
from comity.node.server.services.timestamps import from_timestamp, to_timestamp
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import Bell
from comity.node.trust.peers import get_peer
from comity.node.trust.root_chains import page_after
from comity.node.witness.gossip import checkpoints_to_share, take_shared_checkpoints
from comity.node.witness.received_cosignatures import keep_cosignature
from comity.record.errors import InvalidInput
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import exchange_service_pb2_grpc as rpc


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
        bell, follows = self._bell.branch(), first.start.follows_log
        stream = OutgoingStream(self._node, bell, self._stopping, peer, after, follows_log=follows)
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
            check_active(row)
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
