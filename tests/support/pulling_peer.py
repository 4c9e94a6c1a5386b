"""A peer that pulls from uk by hand, message by message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from comity.node.database.tables import PeerRow
from comity.node.home.certificate_authority import Svid
from comity.node.home.folder import Home
from comity.policies.preset import load_preset
from comity.record.envelope import Envelope
from comity.record.receipt import Receipt
from comity.record.wire import envelope_to_proto, record_from_proto
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import exchange_service_pb2_grpc
from tests.support.drafts import card
from tests.support.hostile_calls import CA, UK, calling, info_of
from tests.support.network import Running, make_home, serving


@dataclass
class Puller:
    """A connection to uk's node as ca's."""

    uk: Running
    home: Home
    line: grpc.aio.Channel

    @property
    def stub(self) -> Any:
        """Calls to uk."""
        return exchange_service_pb2_grpc.ExchangeServiceStub(self.line)

    async def start(self, cursor: str = "") -> Any:
        """Open a stream that is accepted."""
        call = self.stub.Replicate()
        await call.write(start(cursor))
        assert (await call.read()).WhichOneof("message") == "accepted"
        return call

    async def batch(self, call: Any) -> pb.Batch:
        """Read the next batch, past heartbeats."""
        while True:
            message = await call.read()
            if message.WhichOneof("message") == "batch":
                batch: pb.Batch = message.batch
                return batch

    async def refused(self, *requests: pb.ReplicateRequest) -> Any:
        """Return the ErrorInfo that ends a stream after some requests."""
        call = self.stub.Replicate()
        for request in requests:
            await call.write(request)
        await call.done_writing()
        return await ended(call)

    @property
    def receipted(self) -> int:
        """The offer up to which uk has receipts of ca."""
        row: PeerRow = self.uk.rows(PeerRow, institute=CA)[0]
        return row.receipted


@asynccontextmanager
async def pulling(root: Path, cards: int = 0) -> AsyncIterator[Puller]:
    """Serve uk with some cards for everyone, and connect to it as ca's node."""
    uk_home, ca_home = make_home(root, UK), make_home(root, CA)
    async with serving(uk_home) as uk:
        uk.node.add_peer(ca_home.bundle())
        uk.node.set_policy(load_preset("open"))
        uk.node.publish_all([uk.sign(card(f"model-{n}")) for n in range(cards)])
        async with calling(uk.node.bundle, Svid(*ca_home.node_identity())) as line:
            yield Puller(uk, ca_home, line)


async def ended(call: Any) -> Any:
    """Return the ErrorInfo with which a stream ends."""
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return info_of(error)
    raise AssertionError("expected a refusal, got an orderly end")


def start(cursor: str) -> pb.ReplicateRequest:
    """Return the request that begins a stream after a cursor."""
    return pb.ReplicateRequest(start=pb.Start(cursor=cursor))


def receipt_for(batch: pb.Batch) -> Receipt:
    """Return an honest receipt."""
    ids = sorted(record_from_proto(offer.record).record_id for offer in batch.offers)
    return Receipt(
        receiver=CA,
        sender=UK,
        time=datetime.now(UTC),
        previous_cursor=batch.previous_cursor,
        cursor=batch.cursor,
        stored=tuple(ids),
        rejected=(),
    )


def sent(envelope: Envelope) -> pb.ReplicateRequest:
    """Return the request that carries a receipt."""
    return pb.ReplicateRequest(receipt=pb.Receipt(envelope=envelope_to_proto(envelope)))
