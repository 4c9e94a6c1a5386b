"""A peer on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comity.client.terminal import (
    print_fields,
    print_json,
)
from comity.node.database.clock import to_datetime
from comity.node.database.tables import PeerRow
from comity.node.node import Node
from comity.node.server.status import PeerSummary, summarise_peer
from comity.record.bundle import spoken
from comity.record.times import format_time


def print_peer(node: Node, row: PeerRow, *, as_json: bool) -> None:
    """Print what is known of a peer."""
    with node.store.read() as session:
        value = peer_value(summarise_peer(session, row))
    if as_json:
        print_json(value)
        return
    value["names"] = "; ".join(f"{name} ({tag})" for tag, name in value["names"].items())
    for name, empty in (("purposes", "not bound"), ("groups", "none"), ("clearances", "none")):
        value[name] = ", ".join(value[name]) or empty
    value["alarms"] = ", ".join(value["alarms"]) or "none"
    print_fields(in_words(value, "pinned without a root"))


def in_words(value: Mapping[str, Any], rootless: str) -> dict[str, Any]:
    """Return fields for people: the fingerprint as it is read aloud, named by what it is of."""
    # operators read this aloud to each other (docs/operator.md, Add a peer), so its name says
    # whether it is the root's or the bundle's
    of = "rootFingerprint" if value["rootVersion"] else "bundleFingerprint"
    shown = {of if name == "fingerprint" else name: item for name, item in value.items()}
    told = {of: spoken(value["fingerprint"]), "rootVersion": value["rootVersion"] or rootless}
    return {name: "-" if item in (None, "") else item for name, item in (shown | told).items()}


def peer_value(peer: PeerSummary) -> dict[str, Any]:
    """Return the JSON form of what is known of a peer."""
    contact = peer.contact_time
    return {
        "institute": peer.institute,
        "names": dict(sorted(peer.names.items())),
        "address": peer.address,
        "status": peer.status,
        "fingerprint": peer.fingerprint,
        "purposes": list(peer.purposes),
        "groups": list(peer.groups),
        "clearances": list(peer.clearances),
        "released": peer.released,
        "receipted": peer.receipted,
        "received": peer.received,
        "quarantined": peer.quarantined,
        "waiting": peer.waiting,
        "rootVersion": peer.root_version,
        "alarms": list(peer.alarms),
        "contactTime": None if contact is None else format_time(to_datetime(contact)),
        "lastError": peer.last_error,
    }
