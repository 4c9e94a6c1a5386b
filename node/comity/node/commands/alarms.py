"""Alarms: what an operator has to look at, until it is cleared."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import (
    print_json,
    print_table,
    say,
    table,
    text,
)
from comity.node.commands.options import open_node
from comity.node.database.alarms import clear_alarm, list_alarms
from comity.node.database.clock import to_datetime
from comity.node.database.tables import AlarmRow
from comity.record.errors import NotFound
from comity.record.times import format_time


def comity_node_alarms_list(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the alarms, the oldest first.

    Examples:
        comity-node alarms list --json
    """
    with open_node(context) as node, node.store.read() as session:
        values = [_value(alarm) for alarm in list_alarms(session)]
    if as_json:
        print_json(values)
        return
    grid = table("institute", "reason", "since", "last", "times", "message")
    for value in values:
        # a message may quote a peer: text() makes its control characters visible
        grid.add_row(*(text(str(cell)) for cell in value.values()))
    print_table(grid, "no alarms")


def comity_node_alarms_clear(
    context: typer.Context,
    institute: Annotated[str, typer.Argument(metavar="INSTITUTE", help="Institute in the alarm.")],
    reason: Annotated[str, typer.Argument(metavar="REASON", help="As alarms list shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Clear an alarm that was dealt with.

    The alarm comes back if its cause does. A log that was halted stays halted until you call
    comity-node witness resume.

    Examples:
        comity-node alarms clear ca.aisi.example ROOT_REFUSED
    """
    with open_node(context) as node, node.store.write() as session:
        # a mistyped reason is an error, or the operator would take the alarm for cleared
        if not clear_alarm(session, institute, reason):
            hint = "comity-node alarms list shows them"
            raise NotFound(f"no alarm {reason!r:.80} about {institute!r:.100}", hint=hint)
    if as_json:
        print_json({"institute": institute, "reason": reason})
    else:
        say(f"cleared {reason} about {institute}")


def _value(alarm: AlarmRow) -> dict[str, Any]:
    return {
        "institute": alarm.institute,
        "reason": alarm.reason,
        "firstTime": format_time(to_datetime(alarm.first_time)),
        "lastTime": format_time(to_datetime(alarm.last_time)),
        "count": alarm.count,
        "message": alarm.message,
    }
