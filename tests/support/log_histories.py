"""Histories of a log that a test makes up: signed by the log's real key, true or not.

A ``History`` has leaves and signs whatever size of them it is asked for. ``ForkingLog`` is a real
gRPC server with the certificate of a pinned institute that shows each caller a history of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from cryptography.hazmat.primitives.serialization import Encoding
from grpc_status import rpc_status

from comity.client.connection.channel import SERVER_OPTIONS
from comity.client.connection.grpc_errors import to_status
from comity.node.home.folder import Home
from comity.node.server.tls import server_credentials
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.errors import ComityError
from comity.record.merkle import (
    Node,
    consistency_proof,
    leaf_hash,
    node_hash,
    root,
)
from comity.record.note import Note, NoteSigner
from comity.record.spiffe import SpiffeId
from comity.record.tile import Tile
from comity.v1 import audit_service_pb2 as audit
from comity.v1 import exchange_service_pb2 as exchange
from tests.support.network import Running


class History:
    """Leaves of a log; one character of ``leaves`` each."""

    def __init__(self, signer: NoteSigner, leaves: Iterable[str]) -> None:
        self.signer = signer
        self.leaves = [leaf_hash(leaf.encode()) for leaf in leaves]

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self.leaves)

    def root(self, size: int) -> bytes:
        """Return the root of the first leaves."""
        return root(size, self.read)

    def note(self, size: int | None = None) -> Note:
        """Return the signed checkpoint of the first leaves, by default of all."""
        size = self.size if size is None else size
        return sign_checkpoint(Checkpoint(self.signer.name, size, self.root(size)), self.signer)

    def proof(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the consistency proof; none where the log went back."""
        new = self.size if new is None else new
        return consistency_proof(old, new, self.read) if old <= new else []

    def tile(self, path: str) -> bytes:
        """Return a tile of hashes."""
        return b"".join(self.read(Tile.parse(path).nodes))

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return hashes of nodes of the tree."""
        return [self._hash(level, index) for level, index in nodes]

    def _hash(self, level: int, index: int) -> bytes:
        if level == 0:
            return self.leaves[index]
        left, right = self._hash(level - 1, 2 * index), self._hash(level - 1, 2 * index + 1)
        return node_hash(left, right)


Show = Callable[[str, audit.GetCheckpointRequest], audit.GetCheckpointResponse]


@dataclass
class ForkingLog:
    """An institute whose log has a history for each caller; what a test may change, it does."""

    home: Home
    histories: dict[str, History]
    refuses_tiles: ComityError | None = None
    show: Show | None = None
    """Replaces what GetCheckpoint answers."""
    cosigned: list[tuple[str, int]] = field(default_factory=list)
    """Caller and size of each cosignature that came."""

    async def replicate(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        """Offer nothing, but keep the stream open."""
        yield exchange.ReplicateResponse(accepted=exchange.Accepted(heartbeat_seconds=300))
        async for _ in requests:
            pass

    async def checkpoint(self, request: audit.GetCheckpointRequest, caller: str) -> Any:
        """Show the caller its history."""
        if self.show is not None:
            return self.show(caller, request)
        history = self.histories[caller]
        note, proof = history.note().to_bytes(), history.proof(request.old_size)
        return audit.GetCheckpointResponse(checkpoint=note, consistency=proof)

    async def tiles(self, request: audit.GetTilesRequest, caller: str) -> Any:
        """Show tiles of the caller's history."""
        if self.refuses_tiles is not None:
            raise self.refuses_tiles
        found = [self.histories[caller].tile(path) for path in request.paths]
        return audit.GetTilesResponse(tiles=found)

    async def cosign(self, request: exchange.AddCosignatureRequest, caller: str) -> Any:
        """Note down the caller and the size of its cosignature."""
        self.cosigned.append((caller, request.size))
        return exchange.AddCosignatureResponse()

    async def share(self, request: exchange.ShareCheckpointsRequest, caller: str) -> Any:
        """Keep to oneself what one has seen."""
        return exchange.ShareCheckpointsResponse()


@asynccontextmanager
async def forking(log: ForkingLog, *victims: Running) -> AsyncIterator[ForkingLog]:
    """Serve a forking log that every victim has pinned."""
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "comity.v1.ExchangeService",
                {
                    "Replicate": grpc.stream_stream_rpc_method_handler(
                        log.replicate,
                        exchange.ReplicateRequest.FromString,
                        exchange.ReplicateResponse.SerializeToString,
                    ),
                    "AddCosignature": _unary(log.cosign, exchange.AddCosignatureRequest),
                    "ShareCheckpoints": _unary(log.share, exchange.ShareCheckpointsRequest),
                },
            ),
            grpc.method_handlers_generic_handler(
                "comity.v1.AuditService",
                {
                    "GetCheckpoint": _unary(log.checkpoint, audit.GetCheckpointRequest),
                    "GetTiles": _unary(log.tiles, audit.GetTilesRequest),
                },
            ),
        )
    )

    identity = log.home.node_identity()
    bundles = [victim.node.bundle for victim in victims]
    roots = b"".join(a.public_bytes(Encoding.PEM) for b in bundles for a in b.authorities)
    credentials = server_credentials(lambda: identity, lambda: roots)
    server.add_secure_port(log.home.settings.listen, credentials)

    await server.start()
    try:
        for victim in victims:
            victim.node.add_peer(log.home.bundle())
        yield log
    finally:
        await server.stop(None)


def _unary(answer: Callable[[Any, str], Awaitable[Any]], request: type[Any]) -> Any:
    async def behave(message: Any, context: Any) -> Any:
        [identity] = context.auth_context()["peer_spiffe_id"]
        try:
            return await answer(message, SpiffeId.parse(identity.decode()).institute)
        except ComityError as error:
            await context.abort_with_status(rpc_status.to_status(to_status(error)))

    return grpc.unary_unary_rpc_method_handler(
        behave, request.FromString, lambda response: response.SerializeToString()
    )
