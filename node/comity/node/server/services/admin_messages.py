"""From summaries and explanations of the domain to the messages of AdminService."""

from __future__ import annotations

from comity.node.database.tables import HEADER, REFUSED, WAITING, AlarmRow
from comity.node.release.explanation import PartExplanation
from comity.node.server.services.timestamps import to_optional_timestamp, to_timestamp
from comity.node.server.status import NodeSummary, PeerSummary
from comity.v1 import admin_service_pb2 as pb


def node_summary_to_proto(node: NodeSummary) -> pb.GetStatusResponse:
    """Return the wire form of how a node is."""
    return pb.GetStatusResponse(
        institute=node.institute,
        software_version=node.software_version,
        records=node.records,
        log_size=node.log_size,
        policy_digest=node.policy.policy.digest,
        policy_name=node.policy.name,
        policy_version=node.policy.version,
        peers=[_peer_to_proto(peer) for peer in node.peers],
        alarms=[_alarm_to_proto(alarm) for alarm in node.alarms],
    )


def explanation_to_proto(part: PartExplanation) -> pb.PartExplanation:
    """Return the wire form of why a part is given to a peer, or is not."""
    return pb.PartExplanation(
        section=part.name,
        is_header=part.section == HEADER,
        allowed=part.allowed,
        rules=part.rules,
        message=part.message,
        release_time=to_optional_timestamp(part.release_time),
        nearest=part.nearest,
    )


def _peer_to_proto(peer: PeerSummary) -> pb.Peer:
    return pb.Peer(
        institute=peer.institute,
        names=peer.names,
        address=peer.address,
        status=peer.status,
        fingerprint=peer.fingerprint,
        purposes=peer.purposes,
        released=peer.released,
        receipted=peer.receipted,
        received=peer.received,
        refused=sum(peer.not_taken[REFUSED].values()),
        contact_time=to_optional_timestamp(peer.contact_time),
        last_error=peer.last_error,
        groups=peer.groups,
        clearances=peer.clearances,
        root_version=peer.root_version,
        alarms=peer.alarms,
        waiting=sum(peer.not_taken[WAITING].values()),
        refused_there=sum(peer.not_stored[REFUSED].values()),
        waiting_there=sum(peer.not_stored[WAITING].values()),
    )


def _alarm_to_proto(alarm: AlarmRow) -> pb.Alarm:
    return pb.Alarm(
        institute=alarm.institute,
        reason=alarm.reason,
        message=alarm.message,
        first_time=to_timestamp(alarm.first_time),
        last_time=to_timestamp(alarm.last_time),
        count=alarm.count,
    )
