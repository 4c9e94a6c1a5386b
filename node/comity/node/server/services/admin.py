"""AdminService: how a node is, and why its peers were given what they were given."""

from __future__ import annotations

from typing import Any

from comity.node.node import Node
from comity.node.records.search import find_record
from comity.node.release.explanation import PartExplanation, explain_record
from comity.node.server.services.admin_messages import (
    explanation_to_proto,
    node_summary_to_proto,
)
from comity.node.server.status import summarise_node
from comity.node.server.threads import in_thread
from comity.v1 import admin_service_pb2 as pb
from comity.v1 import admin_service_pb2_grpc as rpc


class AdminServicer(rpc.AdminServiceServicer):
    """For auditors and operators of this institute."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def GetStatus(  # noqa: N802
        self, request: pb.GetStatusRequest, context: Any
    ) -> pb.GetStatusResponse:
        """Return how the node is."""
        return await in_thread(self._status)

    async def ExplainPolicy(  # noqa: N802
        self, request: pb.ExplainPolicyRequest, context: Any
    ) -> pb.ExplainPolicyResponse:
        """Return why each part of a record is given to a peer, or is not."""
        parts = await in_thread(self._explain, request.peer, request.record_id)
        return pb.ExplainPolicyResponse(parts=[explanation_to_proto(part) for part in parts])

    def _status(self) -> pb.GetStatusResponse:
        with self._node.store.read() as session:
            return node_summary_to_proto(summarise_node(session, self._node.institute))

    def _explain(self, peer: str, record_id: str) -> list[PartExplanation]:
        with self._node.store.read() as session:
            record = find_record(session, record_id)
            return explain_record(session, peer, record, self._node.clock())
