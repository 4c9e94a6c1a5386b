"""Peers: whose root or trust bundle is pinned, and how things stand with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from comity.client.command_line import JsonOption
from comity.client.files import naming, read_file
from comity.client.terminal import (
    err,
    print_fields,
    print_json,
    print_table,
    table,
    text,
)
from comity.node.commands.options import open_node
from comity.node.database.clock import to_datetime
from comity.node.database.tables import PeerRow
from comity.node.node import Node
from comity.node.server.status import PeerSummary, summarise_peer
from comity.node.trust.peers import Terms, get_peer, pinned_peers
from comity.node.trust.pins import (
    Pin,
    bundle_in,
    compared_fingerprint,
    fingerprint_of,
    read_pin,
    why_compare,
)
from comity.policies.facts import PeerStatus
from comity.record.bundle import spoken
from comity.record.errors import BadBundle, InvalidInput, NotFound
from comity.record.limits import MAX_ROOT_BYTES
from comity.record.root import Root
from comity.record.times import format_time

_Purposes = Annotated[
    list[str] | None,
    typer.Option("--purpose", metavar="WORD", help="Use that the peer is bound to; repeatable."),
]
_Groups = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="WORD", help="Group that you put the peer in; repeatable."),
]
_Clearances = Annotated[
    list[str] | None,
    typer.Option("--clearance", metavar="WORD", help="What you clear it for; repeatable."),
]

Institute = Annotated[str, typer.Argument(metavar="INSTITUTE", help="Institute id of the peer.")]


def comity_node_peers_add(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The peer's root, or its trust bundle.")],
    fingerprint: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="Fingerprint that the peer told you; spaces are ignored."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="You have compared the fingerprint: do not ask.")
    ] = False,
    status: Annotated[
        PeerStatus | None,
        typer.Option(
            metavar="STATUS", help="probation or member; as it was for a pinned peer, else member."
        ),
    ] = None,
    purposes: _Purposes = None,
    groups: _Groups = None,
    clearances: _Clearances = None,
    as_json: JsonOption = False,
) -> None:
    """Pin a peer's root or trust bundle, or replace the pinned one.

    Whoever can swap the file can pose as the peer. Compare the fingerprint over a channel that
    does not carry the file, such as the telephone. A root that follows from the pinned one needs
    no comparison; a running node fetches such by itself. Purposes, groups and clearances that were
    set before stay unless new ones are given.

    Examples:
        comity-node peers add ca.aisi.example.root.json
        comity-node peers add ca.bundle.json --status probation --purpose research --group g7
        comity-node peers add ca.bundle.json --fingerprint 9f86d081884c7d65…  # all 64 digits
    """
    data = read_file(file, MAX_ROOT_BYTES)
    with naming(file):
        pin = read_pin(data)
    with open_node(context) as node:
        former = _pinned(node, bundle_in(pin).institute)
        with node.store.read() as session:
            reason = why_compare(session, pin)
            replaced = compared_fingerprint(session, former) if former else ""
        if fingerprint is not None:
            _compare(pin, fingerprint)
        elif reason and not yes:
            _ask(pin, replaced, reason)
        # an option that is not given is an empty list here
        words = (given or None for given in (purposes, groups, clearances))
        row = node.add_peer(pin, status or _status(former), *words)
        _print_peer(node, row, as_json=as_json)


def comity_node_peers_list(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the pinned peers and how replication with each stands.

    Examples:
        comity-node peers list --json
    """
    with open_node(context) as node, node.store.read() as session:
        peers = [peer_value(summarise_peer(session, row)) for row in pinned_peers(session)]
    if as_json:
        print_json(peers)
        return
    counted = ("received", "refused", "waiting")
    grid = table("institute", "status", "address", "signed for", *counted, "contact")
    for peer in peers:
        signed = f"{peer['receipted']}/{peer['released']}"
        counts = (str(peer[name]) for name in ("received", "quarantined", "waiting"))
        cells = (peer["institute"], peer["status"], peer["address"], signed, *counts)
        grid.add_row(*map(text, (*cells, peer["contactTime"] or "never")))
    print_table(grid, "No peer yet: comity-node peers add FILE pins the first one.")
    for peer in peers:
        for reason in peer["alarms"]:
            told = f"alarm: {reason}: {peer['institute']}; comity-node status tells more"
            err.print(text(told, "bold red"), soft_wrap=True)


def comity_node_peers_show(
    context: typer.Context, institute: Institute, as_json: JsonOption = False
) -> None:
    """Show one peer: fingerprint, terms, and what went to and fro.

    Examples:
        comity-node peers show ca.aisi.example
    """
    with open_node(context) as node:
        with node.store.read() as session:
            row = get_peer(session, institute)
        _print_peer(node, row, as_json=as_json)


def comity_node_peers_suspend(
    context: typer.Context, institute: Institute, as_json: JsonOption = False
) -> None:
    """Give a peer nothing more, and take nothing from it.

    That lasts until it is resumed. What was released to it before stays with it.

    Examples:
        comity-node peers suspend ca.aisi.example
    """
    _set_status(context, institute, PeerStatus.SUSPENDED, as_json=as_json)


def comity_node_peers_resume(
    context: typer.Context,
    institute: Institute,
    status: Annotated[
        PeerStatus, typer.Option(metavar="STATUS", help="probation or member.")
    ] = PeerStatus.MEMBER,
    as_json: JsonOption = False,
) -> None:
    """Take up the exchange with a suspended peer.

    It also ends a probation, or begins one.

    Examples:
        comity-node peers resume ca.aisi.example
        comity-node peers resume ca.aisi.example --status probation
    """
    if status not in (PeerStatus.MEMBER, PeerStatus.PROBATION):
        raise InvalidInput(f"expected probation or member, got {status}", field="--status")
    _set_status(context, institute, status, as_json=as_json)


def comity_node_peers_set(
    context: typer.Context,
    institute: Institute,
    status: Annotated[
        PeerStatus | None, typer.Option(metavar="STATUS", help="probation, member or suspended.")
    ] = None,
    purposes: _Purposes = None,
    groups: _Groups = None,
    clearances: _Clearances = None,
    no_purposes: Annotated[
        bool, typer.Option("--no-purposes", help="The peer is bound to no use.")
    ] = False,
    no_groups: Annotated[bool, typer.Option("--no-groups", help="It is in no group.")] = False,
    no_clearances: Annotated[
        bool, typer.Option("--no-clearances", help="It is cleared for nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Change a peer's terms, for your policy to go by.

    What you agreed with it, and how you filed it. The words of an option replace all former ones of
    their list; what is not named stays.

    Examples:
        comity-node peers set ca.aisi.example --group joint-testing --clearance bio
        comity-node peers set ca.aisi.example --no-clearances --status probation
    """
    if status is PeerStatus.REMOVED:
        hint = "comity-node peers remove drops a peer"
        raise InvalidInput("expected probation, member or suspended", field="--status", hint=hint)
    terms = Terms(
        _choice(purposes, no_purposes, "purpose"),
        _choice(groups, no_groups, "group"),
        _choice(clearances, no_clearances, "clearance"),
    )
    if status is None and terms == Terms():
        message = "expected a status or words to set, got neither"
        raise InvalidInput(message, hint="add --help to see what can be set")
    with open_node(context) as node:
        _print_peer(node, node.change_peer(institute, status, terms), as_json=as_json)


def comity_node_peers_remove(
    context: typer.Context, institute: Institute, as_json: JsonOption = False
) -> None:
    """Drop a peer: its certificates no longer open anything.

    What was released to it stays on record, and withdrawals still go to it if it is added again.

    Examples:
        comity-node peers remove ca.aisi.example
    """
    _set_status(context, institute, PeerStatus.REMOVED, as_json=as_json)


def _pinned(node: Node, institute: str) -> PeerRow | None:
    with node.store.read() as session:
        try:
            row = get_peer(session, institute)
        except NotFound:
            return None
    return None if row.status == PeerStatus.REMOVED else row


def _compare(pin: Pin, fingerprint: str) -> None:
    told, got = "".join(fingerprint.split()).lower(), fingerprint_of(pin)
    if told != got:
        message = f"expected fingerprint {spoken(told):.100}, got {spoken(got)}"
        hint = "get the file again, over a channel that you trust; nothing was changed"
        raise BadBundle(message, field="bundle", hint=hint)


def _ask(pin: Pin, replaced: str, reason: str) -> None:
    bundle = bundle_in(pin)
    for tag, name in bundle.names.items():
        err.print(text(f"{tag:<12} {name}"), soft_wrap=True)
    err.print(text(f"institute    {bundle.institute}"), soft_wrap=True)
    err.print(text(f"address      {bundle.address}"), soft_wrap=True)
    if isinstance(pin, Root):
        kept = f"version {pin.version}, {pin.threshold} of {len(pin.keys)} keys sign"
        err.print(text(f"root         {kept}, until {format_time(pin.expires)}"), soft_wrap=True)
    err.print(text(f"fingerprint  {spoken(fingerprint_of(pin))}"), soft_wrap=True)
    if replaced and replaced != fingerprint_of(pin):
        err.print(text(f"replaces     {spoken(replaced)}"), soft_wrap=True)
    if replaced:
        err.print(text(f"compare      {reason}"), soft_wrap=True)
    try:
        same = typer.confirm("Did the peer read this fingerprint to you?", err=True)
    except typer.Abort:
        err.print()
        same = False
    if not same:
        hint = "compare it with the peer, then answer y or add --fingerprint HEX"
        raise BadBundle("fingerprint not confirmed; nothing was changed", field="bundle", hint=hint)


def _status(former: PeerRow | None) -> PeerStatus:
    kept = former is not None and former.status == PeerStatus.PROBATION
    return PeerStatus.PROBATION if kept else PeerStatus.MEMBER


def _choice(words: list[str] | None, none: bool, option: str) -> list[str] | None:
    if words and none:
        message = f"expected --{option} or --no-{option}s, got both"
        raise InvalidInput(message, field=f"--{option}")
    return [] if none else words or None


def _set_status(
    context: typer.Context, institute: str, status: PeerStatus, *, as_json: bool
) -> None:
    with open_node(context) as node:
        _print_peer(node, node.set_peer_status(institute, status), as_json=as_json)


def _print_peer(node: Node, row: PeerRow, *, as_json: bool) -> None:
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
