"""How the node is: what operators see at a glance.

Invariant: everything here is counted in the database, none of it remembered by a process.
"""

from __future__ import annotations

import json

from sqlalchemy import func
from sqlmodel import Session, select

from comity.node import VERSION
from comity.node.database.alarms import list_alarms
from comity.node.database.clock import to_timestamp
from comity.node.database.rows import last_number
from comity.node.database.tables import AlarmRow, PeerRow, QuarantineRow, RecordRow
from comity.node.log.tree import tree_size
from comity.node.policy.versions import policy_in_force
from comity.node.records.quarantine import is_waiting
from comity.node.trust.peers import bundle_of, pinned_peers
from comity.node.trust.pins import compared_fingerprint
from comity.node.trust.root_chains import newest_version
from comity.v1 import admin_service_pb2 as pb


def node_status(session: Session, institute: str) -> pb.GetStatusResponse:
    """Return counts, the policy's digest, every peer and every alarm."""
    return pb.GetStatusResponse(
        institute=institute,
        software_version=VERSION,
        records=last_number(session, RecordRow.record_seq),
        log_size=tree_size(session),
        policy_digest=policy_in_force(session).policy.digest,
        peers=[peer_status(session, row) for row in pinned_peers(session)],
        alarms=[_alarm(alarm) for alarm in list_alarms(session)],
    )


def peer_status(session: Session, row: PeerRow) -> pb.Peer:
    """Return what is known of a peer and how far both directions are."""
    received = select(func.count()).where(RecordRow.issuer == row.institute)
    kept_apart = select(func.count()).where(QuarantineRow.peer == row.institute)
    bundle = bundle_of(row)
    return pb.Peer(
        institute=row.institute,
        names=bundle.names,
        address=bundle.address,
        status=row.status,
        fingerprint=compared_fingerprint(session, row),
        purposes=json.loads(row.purposes),
        groups=json.loads(row.groups),
        clearances=json.loads(row.clearances),
        released=row.offered,
        receipted=row.receipted,
        received=session.exec(received).one(),
        quarantined=session.exec(kept_apart.where(~is_waiting())).one(),
        waiting=session.exec(kept_apart.where(is_waiting())).one(),
        contact_time=to_timestamp(row.contact_time) if row.contact_time else None,
        last_error=row.last_error,
        root_version=newest_version(session, row.institute),
        alarms=[alarm.reason for alarm in list_alarms(session, row.institute)],
    )


def _alarm(alarm: AlarmRow) -> pb.Alarm:
    return pb.Alarm(
        institute=alarm.institute,
        reason=alarm.reason,
        message=alarm.message,
        first_time=to_timestamp(alarm.first_time),
        last_time=to_timestamp(alarm.last_time),
        count=alarm.count,
    )
