"""AdminService: running a node from afar."""

from __future__ import annotations

from typing import Any

from comity.node.database.clock import to_timestamp
from comity.node.database.tables import HEADER, PeerRow
from comity.node.node import Node
from comity.node.policy.versions import PolicyInForce, policy_in_force
from comity.node.records.search import find_record
from comity.node.release.explanation import PartExplanation, explain
from comity.node.server.status import node_status, peer_status
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import Bell
from comity.node.trust.peers import Terms
from comity.node.trust.pins import fingerprint_of, read_pin
from comity.policies.facts import PeerStatus
from comity.record.errors import BadBundle, InvalidInput
from comity.v1 import admin_service_pb2 as pb
from comity.v1 import admin_service_pb2_grpc as rpc


class AdminServicer(rpc.AdminServiceServicer):
    """For operators of this institute."""

    def __init__(self, node: Node, bell: Bell) -> None:
        self._node, self._bell = node, bell

    async def GetStatus(  # noqa: N802
        self, request: pb.GetStatusRequest, context: Any
    ) -> pb.GetStatusResponse:
        """Tell how the node is."""
        return await in_thread(self._status)

    async def ListPeers(  # noqa: N802
        self, request: pb.ListPeersRequest, context: Any
    ) -> pb.ListPeersResponse:
        """List the peers."""
        status = await in_thread(self._status)
        return pb.ListPeersResponse(peers=status.peers)

    async def AddPeer(  # noqa: N802
        self, request: pb.AddPeerRequest, context: Any
    ) -> pb.AddPeerResponse:
        """Pin a bundle or root whose fingerprint was compared."""
        pin = read_pin(request.bundle)
        if request.fingerprint != fingerprint_of(pin):
            message = f"expected {fingerprint_of(pin)}, got {request.fingerprint!r:.100}"
            raise BadBundle(message, field="fingerprint")
        status = _status(request.status or PeerStatus.MEMBER)
        # a repeated field cannot be absent: an empty one leaves what was there
        words = (list(w) or None for w in (request.purposes, request.groups, request.clearances))
        row = await in_thread(self._node.add_peer, pin, status, *words)
        self._bell.ring()
        return pb.AddPeerResponse(peer=await in_thread(self._peer, row))

    async def SetPeerStatus(  # noqa: N802
        self, request: pb.SetPeerStatusRequest, context: Any
    ) -> pb.SetPeerStatusResponse:
        """Suspend, resume or promote a peer."""
        status = _status(request.status)
        if status is PeerStatus.REMOVED:
            raise InvalidInput("expected probation, member or suspended", field="status")
        row = await in_thread(self._node.set_peer_status, request.institute, status)
        self._bell.ring()
        return pb.SetPeerStatusResponse(peer=await in_thread(self._peer, row))

    async def SetPeerTerms(  # noqa: N802
        self, request: pb.SetPeerTermsRequest, context: Any
    ) -> pb.SetPeerTermsResponse:
        """Change a peer's purposes, groups and clearances."""
        terms = Terms(
            purposes=request.purposes.words if request.HasField("purposes") else None,
            groups=request.groups.words if request.HasField("groups") else None,
            clearances=request.clearances.words if request.HasField("clearances") else None,
        )
        change = self._node.change_peer
        row = await in_thread(change, request.institute, None, terms)
        self._bell.ring()
        return pb.SetPeerTermsResponse(peer=await in_thread(self._peer, row))

    async def RemovePeer(  # noqa: N802
        self, request: pb.RemovePeerRequest, context: Any
    ) -> pb.RemovePeerResponse:
        """Drop a peer."""
        status = PeerStatus.REMOVED
        await in_thread(self._node.set_peer_status, request.institute, status)
        self._bell.ring()
        return pb.RemovePeerResponse()

    async def GetPolicy(  # noqa: N802
        self, request: pb.GetPolicyRequest, context: Any
    ) -> pb.GetPolicyResponse:
        """Return the policy in force."""
        in_force = await in_thread(self._policy)
        return pb.GetPolicyResponse(
            policy=in_force.policy.text,
            policy_digest=in_force.policy.digest,
            set_time=to_timestamp(in_force.set_time) if in_force.set_time else None,
        )

    async def SetPolicy(  # noqa: N802
        self, request: pb.SetPolicyRequest, context: Any
    ) -> pb.SetPolicyResponse:
        """Validate a policy and put it in force."""
        in_force = await in_thread(self._node.set_policy, request.policy)
        self._bell.ring()
        return pb.SetPolicyResponse(policy_digest=in_force.policy.digest)

    async def ExplainPolicy(  # noqa: N802
        self, request: pb.ExplainPolicyRequest, context: Any
    ) -> pb.ExplainPolicyResponse:
        """Tell what is given to a peer or withheld, and why."""
        parts = await in_thread(self._explain, request.peer, request.record_id)
        return pb.ExplainPolicyResponse(parts=[explanation_to_proto(part) for part in parts])

    def _status(self) -> pb.GetStatusResponse:
        with self._node.store.read() as session:
            return node_status(session, self._node.institute)

    def _peer(self, row: PeerRow) -> pb.Peer:
        with self._node.store.read() as session:
            return peer_status(session, row)

    def _policy(self) -> PolicyInForce:
        with self._node.store.read() as session:
            return policy_in_force(session)

    def _explain(self, peer: str, record_id: str) -> list[PartExplanation]:
        with self._node.store.read() as session:
            record = find_record(session, record_id)
            return explain(session, peer, record, self._node.clock())


def explanation_to_proto(part: PartExplanation) -> pb.PartExplanation:
    """Return the wire form of an explanation."""
    return pb.PartExplanation(
        section=part.name,
        is_header=part.section == HEADER,
        allowed=part.allowed,
        rules=part.rules,
        message=part.message,
        release_time=to_timestamp(part.release_time) if part.release_time else None,
        nearest=part.nearest,
    )


def _status(text: str) -> PeerStatus:
    if text not in set(PeerStatus):
        expected = "probation, member or suspended"
        raise InvalidInput(f"expected {expected}, got {text!r:.80}", field="status")
    return PeerStatus(text)
