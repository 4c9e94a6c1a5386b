"""A client of a node's log over gRPC, for the institute's own people and its peers' auditors.

Invariant: answers are checked for their form only. The caller checks them against keys at hand.
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
    """The log of the node of ``bundle``. Every method raises what ``answer`` raises."""

    def __init__(self, channel: grpc.aio.Channel, bundle: TrustBundle) -> None:
        self._audit, self._bundle = rpc.AuditServiceStub(channel), bundle

    async def checkpoint(self) -> bytes:
        """Return the newest checkpoint with its cosignatures, a signed note."""
        call = self._audit.GetCheckpoint(pb.GetCheckpointRequest())
        return (await answer(call, self._bundle)).checkpoint

    async def tiles(self, paths: Sequence[str]) -> list[bytes]:
        """Return the tiles of 1 to 32 paths (C2SP tlog-tiles), in the order of the paths.

        Raises:
            BadTile: the node answered with another number of tiles.
        """
        call = self._audit.GetTiles(pb.GetTilesRequest(paths=paths))
        tiles = (await answer(call, self._bundle)).tiles
        if len(tiles) != len(paths):
            raise BadTile(f"expected {len(paths)} tiles, got {len(tiles)}", field="tiles")
        return list(tiles)

    async def inclusion(self, record_id: str) -> TlogProof:
        """Return the proof that a record is in its issuer's log; for the node's own people.

        Raises:
            NotFound: the node has no such record, or no proof of it so far.
            BadProof, LimitExceeded: the answer is not a proof (C2SP tlog-proof).
        """
        request = pb.GetInclusionProofRequest(record_id=record_id)
        found = await answer(self._audit.GetInclusionProof(request), self._bundle)
        return TlogProof.parse(found.proof)

    async def witnessed(self) -> Sequence[pb.WitnessedLog]:
        """Return the node's view of other institutes' logs; for the node's own people."""
        call = self._audit.ListWitnessedLogs(pb.ListWitnessedLogsRequest())
        return (await answer(call, self._bundle)).logs

    async def split_views(self, institute: str) -> Sequence[pb.SplitView]:
        """Return evidence that an institute's log contradicts itself; for the node's own people."""
        call = self._audit.ListSplitViews(pb.ListSplitViewsRequest(institute=institute))
        return (await answer(call, self._bundle)).split_views
