"""Quarantine: the records of peers that were not taken."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import print_json, print_table, table, text
from comity.node.commands.options import open_node
from comity.node.database.clock import to_datetime
from comity.node.database.tables import QuarantineRow
from comity.node.records.quarantine import quarantined_records
from comity.node.records.quarantine_alarms import next_step
from comity.node.trust.peers import get_peer
from comity.record.times import format_time


def comity_node_quarantine(
    context: typer.Context,
    peer: Annotated[
        str | None, typer.Argument(metavar="[PEER]", help="Institute id; all peers by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the records of peers that were not taken, and why.

    A waiting record is taken by itself, once time or a later root of its issuer makes it
    acceptable. A refused record is never taken as it is. The last column says what you can do.

    Examples:
        comity-node quarantine
        comity-node quarantine ca.aisi.example --json
    """
    with open_node(context) as node, node.store.read() as session:
        if peer is not None:
            get_peer(session, peer)  # a mistyped peer is an error, and not an empty list
        values = [_value(row) for row in quarantined_records(session, peer)]

    if as_json:
        print_json(values)
        return
    grid = table("peer", "record", "state", "reason", "since", "next step")
    for value in values:
        cells = (value["peer"], value["recordId"][:12], value["state"], value["reason"])
        grid.add_row(*map(text, (*cells, value["firstTime"], value["nextStep"])))
    print_table(grid, "Every record that peers gave was taken.")


def _value(row: QuarantineRow) -> dict[str, Any]:
    next_try = row.next_try_time
    return {
        "peer": row.peer,
        "recordId": row.record_id,
        "kind": row.kind,
        "state": row.state,
        "reason": row.reason,
        "message": row.message,
        "firstTime": format_time(to_datetime(row.first_time)),
        "lastTime": format_time(to_datetime(row.quarantine_time)),
        "count": row.count,
        "nextTryTime": None if next_try is None else format_time(to_datetime(next_try)),
        "nextStep": next_step(row.state, row.reason),
    }
