"""How the node is: what operators and auditors see at a glance.

Invariant: everything here is counted in the database; no process remembers any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import Session, select

from comity.node import software_version
from comity.node.database.alarms import list_alarms
from comity.node.database.rows import last_number
from comity.node.database.tables import AlarmRow, PeerRow, RecordRow
from comity.node.log.tree import tree_size
from comity.node.policy.versions import PolicyInForce, policy_in_force
from comity.node.records.quarantine import not_taken
from comity.node.replication.not_stored import not_stored_by
from comity.node.trust.peers import bundle_of, pinned_peers
from comity.node.trust.pins import compared_fingerprint
from comity.node.trust.root_chains import newest_version


@dataclass(frozen=True, slots=True)
class PeerSummary:
    """What is known of a peer, and how far both directions are.

    ``fingerprint`` is what people compare by voice: the digest of the peer's root, or where it was
    pinned without one the fingerprint of its bundle, in hex. ``released`` and ``receipted`` count
    parts, and ``received`` records. ``not_taken`` counts records of the peer, and ``not_stored``
    records of this institute at the peer, by state (WAITING or REFUSED) and reason.
    Until ``quota_until`` nothing more is taken from the peer, and until ``paused_until`` the peer
    takes nothing; both may be over. They and ``contact_time`` are in Unix milliseconds, None if
    there was none. ``root_version`` is 0 where the peer was pinned without a root. ``alarms`` are
    reasons. ``clock_skew`` is the time by which its clock is ahead, in milliseconds, None if it
    never told.
    """

    institute: str
    names: Mapping[str, str]
    address: str
    status: str
    fingerprint: str
    purposes: tuple[str, ...]
    groups: tuple[str, ...]
    clearances: tuple[str, ...]
    released: int
    receipted: int
    received: int
    not_taken: Mapping[str, Mapping[str, int]]
    not_stored: Mapping[str, Mapping[str, int]]
    quota_until: int | None
    paused_until: int | None
    clock_skew: int | None
    root_version: int
    alarms: tuple[str, ...]
    contact_time: int | None
    last_error: str


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """How a node is: what it holds, its policy, every peer, every alarm."""

    institute: str
    software_version: str
    records: int
    log_size: int
    policy: PolicyInForce
    peers: tuple[PeerSummary, ...]
    alarms: tuple[AlarmRow, ...]


def summarise_node(session: Session, institute: str) -> NodeSummary:
    """Return how the node of ``institute`` is."""
    return NodeSummary(
        institute=institute,
        software_version=software_version(),
        records=last_number(session, RecordRow.record_seq),
        log_size=tree_size(session),
        policy=policy_in_force(session),
        peers=tuple(summarise_peer(session, row) for row in pinned_peers(session)),
        alarms=tuple(list_alarms(session)),
    )


def summarise_peer(session: Session, row: PeerRow) -> PeerSummary:
    """Return what is known of a peer."""
    received = select(func.count()).where(RecordRow.issuer == row.institute)
    bundle = bundle_of(row)

    return PeerSummary(
        institute=row.institute,
        names=bundle.names,
        address=bundle.address,
        status=row.status,
        fingerprint=compared_fingerprint(session, row),
        purposes=tuple(row.purposes),
        groups=tuple(row.groups),
        clearances=tuple(row.clearances),
        released=row.offered,
        receipted=row.receipted,
        received=session.exec(received).one(),
        not_taken=not_taken(session, row.institute),
        not_stored=not_stored_by(session, row.institute),
        quota_until=row.quota_until,
        paused_until=row.paused_until,
        clock_skew=row.clock_skew,
        root_version=newest_version(session, row.institute),
        alarms=tuple(alarm.reason for alarm in list_alarms(session, row.institute)),
        contact_time=row.contact_time,
        last_error=row.last_error,
    )
