"""A peer on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from comity.client.terminal import (
    print_fields,
    print_json,
    warn,
)
from comity.node.database.clock import system_clock, to_datetime
from comity.node.database.tables import REFUSED, WAITING, PeerRow
from comity.node.node import Node
from comity.node.replication.clock_skew import MAX_SKEW_MS, skew_in_words
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
    for name in ("notTaken", "notTakenThere"):
        value[name] = told_by_state(value[name]) or "none"
    value["alarms"] = ", ".join(value["alarms"]) or "none"
    print_fields(in_words(value, "pinned without a root"))


def by_state(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return the JSON form of counts by state and reason."""
    return {state: dict(sorted(counts[state].items())) for state in (WAITING, REFUSED)}


def told_by_state(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Return counts by state and reason in words; empty if there are none."""
    return "; ".join(
        f"{sum(reasons.values())} {state} ({', '.join(f'{n} {r}' for r, n in reasons.items())})"
        for state, reasons in counts.items()
        if reasons
    )


def warn_of_peers(peers: Iterable[Mapping[str, Any]]) -> None:
    """Tell on stderr what was not taken, here and at peers, and why; and of clocks that differ."""
    for peer in peers:
        institute = peer["institute"]
        if told := told_by_state(peer["notTaken"]):
            hint = f"comity-node quarantine {institute} lists them"
            warn(f"not taken from {institute}: {told}", hint)
        if told := told_by_state(peer["notTakenThere"]):
            hint = f"comity-node reconcile {institute} names them"
            warn(f"not taken by {institute}: {told}", hint)
        skew = int((peer["clockAheadSeconds"] or 0) * 1000)
        if abs(skew) > MAX_SKEW_MS:
            warn(skew_in_words(institute, skew), "set both clocks by NTP")
        if until := peer["pausedUntil"]:
            hint = "[replication] in comity.toml sets the quota of a peer"
            warn(f"paused by quota until {until}: nothing is taken from {institute}", hint)
        if until := peer["pausedThereUntil"]:
            warn(f"paused by quota until {until}: {institute} takes nothing from this node")


def _ahead(time: int | None) -> str | None:
    """Return a time that lies ahead as text; None for one that is over."""
    return format_time(to_datetime(time)) if time and time > system_clock() else None


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
        "refused": sum(peer.not_taken[REFUSED].values()),
        "waiting": sum(peer.not_taken[WAITING].values()),
        "notTaken": by_state(peer.not_taken),
        "notTakenThere": by_state(peer.not_stored),
        "pausedUntil": _ahead(peer.quota_until),
        "pausedThereUntil": _ahead(peer.paused_until),
        "clockAheadSeconds": None if peer.clock_skew is None else peer.clock_skew / 1000,
        "rootVersion": peer.root_version,
        "alarms": list(peer.alarms),
        "contactTime": None if contact is None else format_time(to_datetime(contact)),
        "lastError": peer.last_error,
    }
