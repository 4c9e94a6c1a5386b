"""AuditService: releases with the rules that allowed them, receipts, quarantine, and the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlmodel import Session

from comity.node.log.proofs import newest_checkpoint, prove_consistency, published_tiles
from comity.node.node import Node
from comity.node.replication.peer_queries import PeerClient
from comity.node.replication.record_proofs import find_proof, keep_shown, prove_own_record
from comity.node.server.guard import CALLER
from comity.node.server.services.audit_messages import (
    split_view_to_proto,
    witnessed_log_to_proto,
)
from comity.node.server.services.audit_pages import list_quarantine, list_receipts, list_releases
from comity.node.server.threads import in_thread
from comity.node.witness.seen_logs import split_views, witnessed_logs
from comity.record.tlog_proof import TlogProof
from comity.v1 import audit_service_pb2 as pb
from comity.v1 import audit_service_pb2_grpc as rpc

Request = TypeVar("Request")
Response = TypeVar("Response")


class AuditServicer(rpc.AuditServiceServicer):
    """For auditors and operators of this institute."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def ListReleases(  # noqa: N802
        self, request: pb.ListReleasesRequest, context: Any
    ) -> pb.ListReleasesResponse:
        """Return a page of releases."""
        return await in_thread(self._read, list_releases, request)

    async def ListReceipts(  # noqa: N802
        self, request: pb.ListReceiptsRequest, context: Any
    ) -> pb.ListReceiptsResponse:
        """Return a page of receipts."""
        return await in_thread(self._read, list_receipts, request)

    async def ListQuarantine(  # noqa: N802
        self, request: pb.ListQuarantineRequest, context: Any
    ) -> pb.ListQuarantineResponse:
        """Return a page of refused records."""
        return await in_thread(self._read, list_quarantine, request)

    async def GetCheckpoint(  # noqa: N802
        self, request: pb.GetCheckpointRequest, context: Any
    ) -> pb.GetCheckpointResponse:
        """Return the newest checkpoint, and the proof that it continues an older one."""
        return await in_thread(self._read, _show_checkpoint, request)

    async def GetTiles(  # noqa: N802
        self, request: pb.GetTilesRequest, context: Any
    ) -> pb.GetTilesResponse:
        """Return tiles of the log."""
        return await in_thread(self._read, _show_tiles, request)

    async def GetInclusionProof(  # noqa: N802
        self, request: pb.GetInclusionProofRequest, context: Any
    ) -> pb.GetInclusionProofResponse:
        """Return the proof that a record stands in its log; peers get those of own records."""
        if CALLER.get().institute == self._node.institute:
            proof = await self._prove(request.record_id)
        else:
            proof = await in_thread(prove_own_record, self._node, request.record_id)
        return pb.GetInclusionProofResponse(proof=proof.to_bytes())

    async def ListWitnessedLogs(  # noqa: N802
        self, request: pb.ListWitnessedLogsRequest, context: Any
    ) -> pb.ListWitnessedLogsResponse:
        """Return the newest checkpoints of other institutes' logs."""
        return await in_thread(self._read, _list_witnessed_logs, request)

    async def ListSplitViews(  # noqa: N802
        self, request: pb.ListSplitViewsRequest, context: Any
    ) -> pb.ListSplitViewsResponse:
        """Return the evidence of logs that contradicted themselves."""
        return await in_thread(self._read, _list_split_views, request)

    async def _prove(self, record_id: str) -> TlogProof:
        """Return the proof for a record; its issuer is asked if none is at hand."""
        row, proof = await in_thread(find_proof, self._node, record_id)
        if proof is None:
            issuer = await in_thread(PeerClient, self._node, row.issuer)
            proof = await issuer.inclusion_proof(row.record_id)
            await in_thread(keep_shown, self._node, row, proof)
        return proof

    def _read(
        self, read: Callable[[Session, Request, int], Response], request: Request
    ) -> Response:
        with self._node.store.read() as session:
            return read(session, request, self._node.clock())


def _show_checkpoint(
    session: Session, request: pb.GetCheckpointRequest, now: int
) -> pb.GetCheckpointResponse:
    shown = newest_checkpoint(session)
    proof = prove_consistency(session, request.old_size, shown.size)
    return pb.GetCheckpointResponse(checkpoint=shown.note, consistency=proof)


def _show_tiles(session: Session, request: pb.GetTilesRequest, now: int) -> pb.GetTilesResponse:
    return pb.GetTilesResponse(tiles=published_tiles(session, request.paths))


def _list_witnessed_logs(
    session: Session, request: pb.ListWitnessedLogsRequest, now: int
) -> pb.ListWitnessedLogsResponse:
    logs = [witnessed_log_to_proto(row) for row in witnessed_logs(session)]
    return pb.ListWitnessedLogsResponse(logs=logs)


def _list_split_views(
    session: Session, request: pb.ListSplitViewsRequest, now: int
) -> pb.ListSplitViewsResponse:
    found = [split_view_to_proto(row) for row in split_views(session, request.institute)]
    return pb.ListSplitViewsResponse(split_views=found)
