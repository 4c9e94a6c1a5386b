"""Pinning a peer: its root or trust bundle, once the fingerprint has been compared."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comity.client.command_line import JsonOption
from comity.client.files import naming, read_file
from comity.client.terminal import (
    agrees,
    note,
    warn,
)
from comity.node.commands.options import open_node
from comity.node.commands.peers import Clearances, Groups, Purposes
from comity.node.commands.peers_output import print_peer
from comity.node.database.tables import PeerRow
from comity.node.node import Node
from comity.node.trust.peers import get_peer
from comity.node.trust.pins import (
    Pin,
    bundle_of_pin,
    check_not_older,
    compared_fingerprint,
    fingerprint_of,
    read_pin,
    why_compare,
    why_older,
)
from comity.policies.facts import PeerStatus
from comity.record.bundle import spoken
from comity.record.errors import BadBundle, NotFound
from comity.record.limits import MAX_ROOT_BYTES
from comity.record.root import Root
from comity.record.times import format_time


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
    older: Annotated[bool, typer.Option("--older", help="Pin a file that is older.")] = False,
    status: Annotated[
        PeerStatus | None,
        typer.Option(
            metavar="STATUS", help="probation or member; as it was for a pinned peer, else member."
        ),
    ] = None,
    purposes: Purposes = None,
    groups: Groups = None,
    clearances: Clearances = None,
    as_json: JsonOption = False,
) -> None:
    """Pin a peer's root or trust bundle, or replace it.

    A person who can swap the file can pose as the peer. Compare the fingerprint over a channel that
    does not carry the file, such as the telephone. A root that follows from the pinned one needs
    no comparison; a running node fetches such a root by itself. Status, purposes, groups and
    clearances that were set before stay unless you give new ones. A file that is older than what is
    pinned, or a bundle for a peer whose root is pinned, is refused without --older: it could bring
    back keys that the peer has revoked.

    Examples:
        comity-node peers add ca.aisi.example.root.json
        comity-node peers add ca.bundle.json --status probation --purpose research --group g7
        comity-node peers add ca.bundle.json --fingerprint 9f86d081884c7d65…  # all 64 digits
    """
    # the larger of two limits: only the content tells a root from a bundle
    data = read_file(file, MAX_ROOT_BYTES)
    with naming(file):
        pin = read_pin(data)
    with open_node(context) as node:
        _confirm(node, pin, fingerprint, yes=yes, older=older)
        # an option that is not given is an empty list here
        words = (given or None for given in (purposes, groups, clearances))
        row = node.add_peer(pin, status, *words, older=older)
        if row.status == PeerStatus.SUSPENDED:
            hint = f"comity-node peers resume {row.institute} resumes the exchange"
            warn(f"{row.institute} stays suspended", hint)
        print_peer(node, row, as_json=as_json)


def _confirm(node: Node, pin: Pin, fingerprint: str | None, *, yes: bool, older: bool) -> None:
    former = _pinned(node, bundle_of_pin(pin).institute)
    with node.store.read() as session:
        if not older:
            check_not_older(session, pin)
        reason, step_back = why_compare(session, pin), why_older(session, pin)
        replaced = compared_fingerprint(session, former) if former else ""

    # also with --yes, so that what was replaced can be read afterwards
    if step_back:
        warn(f"this file is older: {step_back}", "keys that the peer revoked may count again")
    if reason:
        _describe(pin, replaced, reason)

    if fingerprint is not None:
        _compare(pin, fingerprint)
    elif reason and not yes:
        _ask()


def _pinned(node: Node, institute: str) -> PeerRow | None:
    with node.store.read() as session:
        try:
            row = get_peer(session, institute)
        except NotFound:
            return None
    # a removed peer is pinned like a new one: its former bundle counts for nothing
    return None if row.status == PeerStatus.REMOVED else row


def _compare(pin: Pin, fingerprint: str) -> None:
    # not asked about --yes: it does not overrule a fingerprint that was typed
    told, got = "".join(fingerprint.split()).lower(), fingerprint_of(pin)
    if told != got:
        message = f"expected fingerprint {spoken(told):.100}, got {spoken(got)}"
        hint = "get the file again, over a channel that you trust; nothing was changed"
        raise BadBundle(message, field="bundle", hint=hint)


def _describe(pin: Pin, replaced: str, reason: str) -> None:
    bundle = bundle_of_pin(pin)
    for tag, name in bundle.names.items():
        note(f"{tag:<12} {name}")
    note(f"institute    {bundle.institute}")
    note(f"address      {bundle.address}")

    if isinstance(pin, Root):
        kept = f"version {pin.version}, {pin.threshold} of {len(pin.keys)} keys sign"
        note(f"root         {kept}, until {format_time(pin.expires)}")
    note(f"fingerprint  {spoken(fingerprint_of(pin))}")

    if replaced and replaced != fingerprint_of(pin):
        note(f"replaces     {spoken(replaced)}")
    if replaced:
        note(f"compare      {reason}")


def _ask() -> None:
    # without a terminal the answer is no: a script has to give --fingerprint or --yes
    if not agrees("Did the peer read this fingerprint to you?"):
        hint = "compare it with the peer, then answer y or add --fingerprint HEX"
        raise BadBundle("fingerprint not confirmed; nothing was changed", field="bundle", hint=hint)
