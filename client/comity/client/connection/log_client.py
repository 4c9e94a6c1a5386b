"""A node's log over gRPC, for its own people and for auditors of its peers.

Invariant: what is returned is what the node says, checked for its form only; whoever asks checks it
against keys at hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from comity.client.connection.channel import answer
from comity.record.bundle import TrustBundle
from comity.record.errors import BadTile
from comity.record.tlog_proof import TlogProof
from comity.v1 import audit_service_pb2 as pb
from comity.v1 import audit_service_pb2_grpc as rpc


class LogClient:
    """The log of the node of ``bundle``; every method raises what ``answer`` raises."""

    def __init__(self, channel: grpc.aio.Channel, bundle: TrustBundle) -> None:
        self._audit, self._bundle = rpc.AuditServiceStub(channel), bundle

    async def checkpoint(self) -> bytes:
        """Return the newest checkpoint, with its cosignatures."""
        call = self._audit.GetCheckpoint(pb.GetCheckpointRequest())
        return (await answer(call, self._bundle)).checkpoint

    async def tiles(self, paths: Sequence[str]) -> list[bytes]:
        """Return tiles by their paths, 1 to 32, in the order asked for.

        Raises:
            BadTile: another number of them came back.
        """
        call = self._audit.GetTiles(pb.GetTilesRequest(paths=paths))
        tiles = (await answer(call, self._bundle)).tiles
        if len(tiles) != len(paths):
            raise BadTile(f"expected {len(paths)} tiles, got {len(tiles)}", field="tiles")
        return list(tiles)

    async def inclusion(self, record_id: str) -> TlogProof:
        """Return that a record stands in its issuer's log; own people only.

        Raises:
            NotFound: there is no such record, or no proof of it so far.
            BadProof, LimitExceeded: not a proof.
        """
        request = pb.GetInclusionProofRequest(record_id=record_id)
        found = await answer(self._audit.GetInclusionProof(request), self._bundle)
        return TlogProof.parse(found.proof)

    async def witnessed(self) -> Sequence[pb.WitnessedLog]:
        """Return what the node holds of other institutes' logs; own people only."""
        call = self._audit.ListWitnessedLogs(pb.ListWitnessedLogsRequest())
        return (await answer(call, self._bundle)).logs

    async def split_views(self, institute: str) -> Sequence[pb.SplitView]:
        """Return evidence that an institute's log contradicts itself; own people only."""
        call = self._audit.ListSplitViews(pb.ListSplitViewsRequest(institute=institute))
        return (await answer(call, self._bundle)).split_views
