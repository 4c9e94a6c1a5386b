"""Peers: their list, their state and their terms."""

from __future__ import annotations

from typing import Annotated

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import (
    note,
    print_json,
    print_table,
    table,
    text,
)
from comity.node.commands.options import open_node, warn_without_policy
from comity.node.commands.peers_output import peer_value, print_peer, warn_of_peers
from comity.node.database.tables import REFUSED, WAITING
from comity.node.server.status import summarise_peer
from comity.node.trust.peers import AgreedTerms, get_peer, pinned_peers
from comity.policies.facts import PeerStatus
from comity.record.errors import InvalidInput

Purposes = Annotated[
    list[str] | None,
    typer.Option("--purpose", metavar="WORD", help="Use that the peer is bound to; repeatable."),
]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="WORD", help="Group that you put the peer in; repeatable."),
]
Clearances = Annotated[
    list[str] | None,
    typer.Option("--clearance", metavar="WORD", help="Topic that you clear it for; repeatable."),
]

PeerInstitute = Annotated[
    str, typer.Argument(metavar="INSTITUTE", help="Institute id of the peer.")
]


def comity_node_peers_list(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the pinned peers, with counts of replication.

    Refused and waiting count records that the peer gave and that were not taken here. The column
    "there" counts, as refused/waiting, records given to the peer that it has not taken.

    Examples:
        comity-node peers list --json
    """
    with open_node(context) as node, node.store.read() as session:
        peers = [peer_value(summarise_peer(session, row)) for row in pinned_peers(session)]
        warn_without_policy(session)

    if as_json:
        print_json(peers)
        return

    counted = ("received", "refused", "waiting")
    grid = table("institute", "status", "address", "signed for", *counted, "there", "contact")
    for peer in peers:
        signed = f"{peer['receipted']}/{peer['released']}"
        counts = [str(peer[name]) for name in counted]
        # what it did not take of ours, in the order of the two columns before
        there = (peer["notTakenThere"][state] for state in (REFUSED, WAITING))
        counts.append("/".join(str(sum(reasons.values())) for reasons in there))
        cells = (peer["institute"], peer["status"], peer["address"], signed, *counts)
        grid.add_row(*map(text, (*cells, peer["contactTime"] or "never")))
    print_table(grid, "No peer yet: comity-node peers add FILE pins the first one.")
    if peers:
        counted_in = (
            "signed for counts parts (headers and sections), all other columns count records"
        )
        note(f"{counted_in}; there: refused/waiting at the peer", "dim")
    warn_of_peers(peers)
    # beside the table, which has no room for them; --json has them in each peer
    for peer in peers:
        for reason in peer["alarms"]:
            told = f"alarm: {reason}: {peer['institute']}; comity-node status tells more"
            note(told, "bold red")


def comity_node_peers_show(
    context: typer.Context, institute: PeerInstitute, as_json: JsonOption = False
) -> None:
    """Show one peer: fingerprint, terms and counts.

    Examples:
        comity-node peers show ca.aisi.example
    """
    with open_node(context) as node:
        with node.store.read() as session:
            row = get_peer(session, institute)
        print_peer(node, row, as_json=as_json)


def comity_node_peers_suspend(
    context: typer.Context, institute: PeerInstitute, as_json: JsonOption = False
) -> None:
    """Suspend the exchange with a peer.

    The node gives the peer no more records and takes none from it, until the peer is resumed. The
    peer keeps what was released to it before.

    Examples:
        comity-node peers suspend ca.aisi.example
    """
    _set_status(context, institute, PeerStatus.SUSPENDED, as_json=as_json)


def comity_node_peers_resume(
    context: typer.Context,
    institute: PeerInstitute,
    status: Annotated[
        PeerStatus, typer.Option(metavar="STATUS", help="probation or member.")
    ] = PeerStatus.MEMBER,
    as_json: JsonOption = False,
) -> None:
    """Resume the exchange with a suspended peer.

    The command also ends a probation, or begins one.

    Examples:
        comity-node peers resume ca.aisi.example
        comity-node peers resume ca.aisi.example --status probation
    """
    # suspend and remove are commands of their own, and the opposite of this one
    if status not in (PeerStatus.MEMBER, PeerStatus.PROBATION):
        raise InvalidInput(f"expected probation or member, got {status}", field="--status")
    _set_status(context, institute, status, as_json=as_json)


def comity_node_peers_set(
    context: typer.Context,
    institute: PeerInstitute,
    status: Annotated[
        PeerStatus | None, typer.Option(metavar="STATUS", help="probation, member or suspended.")
    ] = None,
    purposes: Purposes = None,
    groups: Groups = None,
    clearances: Clearances = None,
    no_purposes: Annotated[
        bool, typer.Option("--no-purposes", help="The peer is bound to no use.")
    ] = False,
    no_groups: Annotated[bool, typer.Option("--no-groups", help="It has no group.")] = False,
    no_clearances: Annotated[
        bool, typer.Option("--no-clearances", help="It is cleared for nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Change a peer's terms, for your policy to go by.

    The terms are the uses that you agreed on, and the groups and clearances that you gave the peer.
    The words of an option replace the whole list; lists that no option names stay.

    Examples:
        comity-node peers set ca.aisi.example --group joint-testing --clearance bio
        comity-node peers set ca.aisi.example --no-clearances --status probation
    """
    # removing has its own command, so that it is never one word among other changes
    if status is PeerStatus.REMOVED:
        hint = "comity-node peers remove removes a peer"
        raise InvalidInput("expected probation, member or suspended", field="--status", hint=hint)

    terms = AgreedTerms(
        _choice(purposes, no_purposes, "purpose"),
        _choice(groups, no_groups, "group"),
        _choice(clearances, no_clearances, "clearance"),
    )

    # a command that changes nothing would look as if it had changed something
    if status is None and terms == AgreedTerms():
        message = "expected a status or words to set, got neither"
        raise InvalidInput(message, hint="add --help to see what can be set")

    with open_node(context) as node:
        print_peer(node, node.change_peer(institute, status, terms), as_json=as_json)


def comity_node_peers_remove(
    context: typer.Context, institute: PeerInstitute, as_json: JsonOption = False
) -> None:
    """Remove a peer, whose certificates then open nothing.

    The node remembers what was released to the peer, and sends it withdrawals if the peer is added
    again.

    Examples:
        comity-node peers remove ca.aisi.example
    """
    _set_status(context, institute, PeerStatus.REMOVED, as_json=as_json)


def _choice(words: list[str] | None, none: bool, option: str) -> list[str] | None:
    if words and none:
        message = f"expected --{option} or --no-{option}s, got both"
        raise InvalidInput(message, field=f"--{option}")
    # an option that is not given is [] here and has to leave the list alone, which None does
    return [] if none else words or None


def _set_status(
    context: typer.Context, institute: str, status: PeerStatus, *, as_json: bool
) -> None:
    with open_node(context) as node:
        print_peer(node, node.set_peer_status(institute, status), as_json=as_json)
