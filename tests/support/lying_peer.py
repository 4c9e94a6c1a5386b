"""Peers that do not keep to the protocol, with real keys and real certificates.

A ``Liar`` is a real gRPC server with the certificate of a real, pinned institute. It answers each
node that pulls from it by a script.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from grpc_status import rpc_status

from comity.client.connection.channel import SERVER_OPTIONS
from comity.client.connection.grpc_errors import to_status
from comity.client.drafts.draft import Draft
from comity.node.database import commit_watch
from comity.node.database.tables import PeerRow
from comity.node.home.folder import Home
from comity.node.server.tls import server_credentials
from comity.record.bundle import Keyring
from comity.record.errors import ComityError
from comity.record.receipt import Receipt, open_receipt
from comity.record.record import Record
from comity.record.wire import envelope_from_proto, record_to_proto
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import record_pb2
from tests.support.hostile_calls import CA, UK
from tests.support.network import Running, make_home, serving, until


@dataclass(frozen=True)
class Status(grpc.Status):
    """The end of a call: what gRPC sends, consistent or not."""

    code: grpc.StatusCode = grpc.StatusCode.OK
    details: str = ""
    trailing_metadata: tuple[tuple[str, str | bytes], ...] = ()

    @classmethod
    def of(cls, error: ComityError) -> Status:
        """Return the status with which a node refuses."""
        status = rpc_status.to_status(to_status(error))
        return cls(status.code, status.details, status.trailing_metadata)


Said = pb.ReplicateResponse | bytes | Status
"""A message, bytes that go out unchanged, or the status that ends the stream."""

Script = Callable[[str], Iterable[Said]]
"""From the cursor that a puller starts with to what it is told. Then the stream stays open."""

CUT: Final = Status()
"""Ends the stream as if all were well."""

ACCEPTED: Final = pb.ReplicateResponse(accepted=pb.Accepted(heartbeat_seconds=1))
HEARTBEAT: Final = pb.ReplicateResponse(heartbeat=pb.Heartbeat())


@dataclass(frozen=True)
class Stream:
    """One time that a liar was called: the cursor it was given, and the receipts it got."""

    cursor: str
    receipts: list[Receipt] = field(default_factory=list)
    paused_until: list[int] = field(default_factory=list)


class Liar:
    """An institute whose node says what ``script`` says; the script may be replaced at any time."""

    def __init__(self, home: Home, victim: Running, script: Script) -> None:
        self.home, self.script = home, script
        self.institute, self.bundle, self.key = home.institute, home.bundle(), home.record_key()
        self.roots: Callable[[int], list[bytes]] = lambda _: []
        self.streams: list[Stream] = []
        self.pauses: list[float] = []
        self.victim = victim

    @property
    def receipts(self) -> list[Receipt]:
        """All receipts so far, in the order in which they came."""
        return [receipt for stream in self.streams for receipt in stream.receipts]

    @property
    def row(self) -> PeerRow:
        """The victim's row about this peer."""
        row: PeerRow = self.victim.rows(PeerRow, institute=self.institute)[0]
        return row

    def sign(self, draft: Draft) -> Record:
        """Sign a draft with this institute's record key."""
        return draft.sign(self.home.node_id, self.key)

    async def replicate(
        self, requests: AsyncIterator[pb.ReplicateRequest], context: Any
    ) -> AsyncIterator[Said]:
        """Tell the script, while receipts are checked and kept."""
        incoming = aiter(requests)
        first = await anext(incoming)
        stream = Stream(first.start.cursor)
        self.streams.append(stream)

        reading = asyncio.create_task(self._read(incoming, stream))
        try:
            for said in self.script(stream.cursor):
                if said is CUT:
                    return
                if isinstance(said, Status):
                    await context.abort_with_status(said)
                yield said
            await reading
        finally:
            reading.cancel()

    async def list_roots(self, request: pb.ListRootsRequest, _: Any) -> pb.ListRootsResponse:
        """Tell what ``roots`` says of the versions after one."""
        return pb.ListRootsResponse(roots=self.roots(request.after_version))

    async def _read(self, requests: AsyncIterator[pb.ReplicateRequest], stream: Stream) -> None:
        find_key = Keyring([self.victim.node.bundle]).find
        async for request in requests:
            if request.HasField("pause"):
                stream.paused_until.append(request.pause.until_time.seconds)
                continue
            envelope = envelope_from_proto(request.receipt.envelope)
            stream.receipts.append(open_receipt(envelope, find_key))


@asynccontextmanager
async def lying(root: Path, institute: str, victim: Running, script: Script) -> AsyncIterator[Liar]:
    """Serve a lying peer that ``victim`` has pinned, and therefore pulls from."""
    liar = Liar(make_home(root, institute), victim, script)
    identity = liar.home.node_identity()
    async with serving_liar(liar, identity):
        victim.node.add_peer(liar.bundle)
        yield liar


@asynccontextmanager
async def serving_liar(liar: Liar, identity: tuple[bytes, bytes]) -> AsyncIterator[None]:
    """Serve a liar under any certificate and key (PEM), at the address of its bundle."""
    handler = grpc.stream_stream_rpc_method_handler(
        liar.replicate,
        request_deserializer=pb.ReplicateRequest.FromString,
        response_serializer=lambda m: m if isinstance(m, bytes) else m.SerializeToString(),
    )
    server = grpc.aio.server(options=SERVER_OPTIONS)
    roots_handler = grpc.unary_unary_rpc_method_handler(
        liar.list_roots,
        request_deserializer=pb.ListRootsRequest.FromString,
        response_serializer=pb.ListRootsResponse.SerializeToString,
    )

    service = "comity.v1.ExchangeService"
    handlers: dict[str, Any] = {"Replicate": handler, "ListRoots": roots_handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    roots = b"".join(a.public_bytes(Encoding.PEM) for a in liar.victim.node.bundle.authorities)
    server.add_secure_port(
        liar.home.settings.listen, server_credentials(lambda: identity, lambda: roots)
    )

    await server.start()
    try:
        yield
    finally:
        await server.stop(None)


def batch(
    *records: Record | record_pb2.Record, after: str = "", cursor: str = "1"
) -> pb.ReplicateResponse:
    """Return a batch of offers between two cursors."""
    messages = (record_to_proto(r) if isinstance(r, Record) else r for r in records)
    offers = [pb.Offer(record=message) for message in messages]
    return pb.ReplicateResponse(batch=pb.Batch(offers=offers, previous_cursor=after, cursor=cursor))


def in_a_row(*batches: Sequence[Record | record_pb2.Record]) -> list[pb.ReplicateResponse]:
    """Return batches that follow each other, with the cursors 1, 2, …."""
    return [
        batch(*records, after=str(number - 1) if number > 1 else "", cursor=str(number))
        for number, records in enumerate(batches, start=1)
    ]


def saying(*said: Said) -> Script:
    """Return a script that says the same on every stream."""
    return lambda _: said


@asynccontextmanager
async def deceived(root: Path) -> AsyncIterator[tuple[Running, Liar]]:
    """Serve uk, which pulls from a lying ca; until it has a script, ca hangs up at once."""
    with haste() as pauses:
        async with serving(make_home(root, UK)) as uk, lying(root, CA, uk, saying(CUT)) as ca:
            ca.pauses = pauses
            yield uk, ca


@contextmanager
def haste() -> Iterator[list[float]]:
    """Let peers be noticed and called again at once; yields what the longest pauses would be."""
    pauses: list[float] = []

    def at_once(_: float, longest: float) -> float:
        pauses.append(longest)
        return 0.02

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commit_watch, "LOOK_SECONDS", 0.02)
        patch.setattr(random, "uniform", at_once)
        yield pauses


async def fault_noted(liar: Liar, fault: str) -> None:
    """Wait until the victim has noted this fault."""
    await until(lambda: liar.row.last_error.startswith(fault), fault)


async def called_again(liar: Liar, times: int) -> None:
    """Wait until the victim has called some more times."""
    before = len(liar.streams)
    await until(lambda: len(liar.streams) >= before + times, "more calls")


def garbage(number: int) -> record_pb2.Record:
    """Return a record that is no record."""
    return record_pb2.Record(envelope=record_pb2.Envelope(payload=b"%d" % number))
