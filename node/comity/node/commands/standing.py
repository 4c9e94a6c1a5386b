"""Reciprocity: who has given whom how much, and whether both sides' ledgers say the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from comity.client.command_line import JsonOption
from comity.client.files import write_file
from comity.client.terminal import (
    note,
    print_error,
    print_json,
    print_table,
    say,
    table,
    text,
)
from comity.node.commands.options import open_node
from comity.node.commands.peers_output import peer_value, warn_of_peers
from comity.node.database.clock import to_datetime
from comity.node.node import Node
from comity.node.release.standing_report import KindReport, StandingReport, report_standing
from comity.node.replication.ledger import given_to, taken_from
from comity.node.replication.not_stored import not_stored_differences
from comity.node.replication.peer_queries import PeerClient
from comity.node.replication.reconciliation import Account, compare_accounts
from comity.node.server.status import summarise_peer
from comity.node.trust.peers import bundle_of, get_peer, pinned_peers
from comity.record import ijson
from comity.record.bundle import Keyring
from comity.record.errors import InvalidInput, Unavailable
from comity.record.times import format_time

# a nightly job has to tell ledgers that differ from a peer that is down
DIFFERENT: Final = 1
UNREACHABLE: Final = 2


def comity_node_standing(
    context: typer.Context,
    peer: Annotated[
        str | None, typer.Argument(metavar="[PEER]", help="Institute id; all peers by default.")
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask the peer's node how it sees this institute.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what each peer has given and received.

    Each row is a kind of record, and each cell counts subjects, not records: within the window, and
    in brackets since the beginning if that is more. Withheld records wait for a better standing.
    Warnings tell how many records were not taken, here and at the peer, and why.
    With --ask, the exit code is 2 if the peer cannot be reached.

    Examples:
        comity-node standing
        comity-node standing ca.aisi.example --json
        comity-node standing ca.aisi.example --ask    # how it sees us
    """
    if ask and peer is None:
        raise InvalidInput("expected the peer to ask", field="PEER")
    with open_node(context) as node:
        if ask and peer is not None:
            with _reaching(as_json=as_json):
                found = {peer: asyncio.run(PeerClient(node, peer).standing())}
        else:
            found = _own_view(node, peer)
        with node.store.read() as session:
            rows = [get_peer(session, institute) for institute in found]
            peers = [peer_value(summarise_peer(session, row)) for row in rows]

    if as_json:
        views = zip(peers, found.values(), strict=True)
        print_json([_value(summary, view) for summary, view in views])
        return

    _print_standing(found)
    warn_of_peers(peers)
    if ask:
        note(f"This is how {peer} sees this institute: received is what we gave.")


def comity_node_reconcile(
    context: typer.Context,
    peer: Annotated[str, typer.Argument(metavar="PEER", help="Institute id of the peer.")],
    output: Annotated[
        Path | None, typer.Option(help="File for the evidence: signed receipts as DSSE JSON.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare both sides' ledgers by signed receipts.

    Both directions are compared. The exit code is 0 if the ledgers agree, 1 if they differ, and 2
    if the peer cannot be reached. A record that is on its way counts as a difference until its
    receipt arrives. So do records that the receiver refused or keeps waiting.

    Examples:
        comity-node reconcile ca.aisi.example
        comity-node reconcile ca.aisi.example --output evidence.json
    """
    with open_node(context) as node:
        with _reaching(as_json=as_json):
            # (1) the peer's account, asked for without a session: a peer may be slow
            given, taken = asyncio.run(PeerClient(node, peer).ledger())
        with node.store.read() as session:
            # (2) this institute's account, read after it: a receipt that came meanwhile counts
            ours, theirs = Keyring([node.bundle]), Keyring([bundle_of(get_peer(session, peer))])
            given_by_us = list(given_to(session, peer))
            taken_by_us = [item for _, item in taken_from(session, peer)]
            not_stored = not_stored_differences(session, node.institute, peer)
        # (3) both directions, each with the keys of the receiver, which signed the receipts
        accounts: tuple[Account, ...] = (
            compare_accounts(node.institute, peer, given_by_us, taken, theirs.find),
            compare_accounts(peer, node.institute, given, taken_by_us, ours.find),
        )
        # what was signed for as not stored is no agreement either
        accounts = tuple(
            replace(a, differences=(*a.differences, *(d for d in not_stored if d.giver == a.giver)))
            for a in accounts
        )
        value = _evidence(node, accounts)
    # (4) also where the ledgers agree: agreement is evidence too
    if output is not None:
        # canonical JSON (RFC 8785), so that two copies can be compared byte by byte
        write_file(output, ijson.canonical(value) + b"\n")

    if as_json:
        print_json(value)
    else:
        _print_accounts(accounts)
    if not value["agreement"]:
        raise typer.Exit(DIFFERENT)


@contextmanager
def _reaching(*, as_json: bool) -> Iterator[None]:
    """Tell of a peer that cannot be reached, and exit with UNREACHABLE."""
    try:
        yield
    except Unavailable as error:
        print_error(error, as_json=as_json)
        raise typer.Exit(UNREACHABLE) from error


def _own_view(node: Node, peer: str | None) -> dict[str, StandingReport]:
    # the node may be stopped or behind a large release: count up to this moment first
    node.update_standing()
    with node.store.read() as session:
        rows = pinned_peers(session) if peer is None else [get_peer(session, peer)]
        now = node.clock()
        return {row.institute: report_standing(session, row, now) for row in rows}


def _value(peer: dict[str, Any], report: StandingReport) -> dict[str, Any]:
    return {
        "peer": peer["institute"],
        "windowDays": report.window_days,
        "notTaken": peer["notTaken"],
        "notTakenThere": peer["notTakenThere"],
        "kinds": [_kind_value(kind) for kind in report.kinds],
    }


def _kind_value(kind: KindReport) -> dict[str, Any]:
    return {
        "kind": kind.kind,
        "received": kind.received,
        "receivedEver": kind.received_ever,
        "given": kind.given,
        "givenEver": kind.given_ever,
        "pending": kind.pending,
        "pendingEver": kind.pending_ever,
        "credit": kind.credit,
        "rejected": kind.rejected,
        "rejectedEver": kind.rejected_ever,
        "withheld": kind.withheld,
    }


def _print_standing(found: dict[str, StandingReport]) -> None:
    columns = ("received", "given", "pending", "rejected")
    grid = table("peer", "kind", *columns, "credit", "withheld")

    for institute, view in found.items():
        for kind in view.kinds:
            counts = [_count(kind, column) for column in columns]
            cells = (*counts, str(kind.credit), str(kind.withheld))
            grid.add_row(*map(text, (institute, kind.kind or "(unreadable)", *cells)))

    if grid.row_count:
        print_table(grid)
        days = next(iter(found.values())).window_days
        note(f"Within {days} days; in brackets, since the beginning where that is more.")
    else:
        note("Nothing has been received, given or withheld for want of standing.")


def _count(kind: KindReport, column: str) -> str:
    recent, ever = getattr(kind, column), getattr(kind, f"{column}_ever")
    return str(recent) if recent == ever else f"{recent} ({ever})"


def _evidence(node: Node, accounts: Sequence[Account]) -> dict[str, Any]:
    return {
        "institute": node.institute,
        "time": format_time(to_datetime(node.clock())),
        "agreement": not any(account.differences for account in accounts),
        "accounts": [
            {
                "giver": account.giver,
                "receiver": account.receiver,
                "agreedReceipts": account.agreed_receipts,
                "agreedRecords": account.agreed_records,
                "differences": [
                    {
                        "finding": str(difference.kind),
                        "message": difference.message,
                        "recordIds": list(difference.record_ids),
                        "receipts": [receipt.to_json() for receipt in difference.receipts],
                    }
                    for difference in account.differences
                ],
                # whole and signed: a third party believes signatures and not this summary
                "receipts": [receipt.to_json() for receipt in account.receipts],
            }
            for account in accounts
        ],
    }


def _print_accounts(accounts: Sequence[Account]) -> None:
    for account in accounts:
        line = f"{account.giver} to {account.receiver}: {account.agreed_records} records agree"
        say(f"{line}, {account.agreed_receipts} receipts verified")
        for difference in account.differences:
            line = f"DIFFERENCE  {difference.kind}: {difference.message}"
            say(line, "red")
            for record_id in difference.record_ids:
                say(f"            {record_id}")
    if not any(account.differences for account in accounts):
        say("Both ledgers agree.")
