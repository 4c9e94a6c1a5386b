"""Alarms: what an operator has to look at, until it is cleared."""

from __future__ import annotations

import asyncio
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
from comity.node.commands.options import open_home, open_node
from comity.node.database.alarms import clear_alarm, list_alarms
from comity.node.database.clock import system_clock, to_datetime
from comity.node.database.tables import AlarmRow
from comity.node.server.alarm_messages import alarm_test, deliver, signing_secret
from comity.record.errors import BadConfig, NotFound
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
    grid = table("institute", "reason", "since", "last", "times", "delivered", "message")
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


def comity_node_alarms_test(context: typer.Context, as_json: JsonOption = False) -> None:
    """Send a test message the way that alarms are sent.

    [alarms] in comity.toml says how: by a command or by a webhook. A running node sends each new
    alarm once, and tries again until it is taken. The message is signed as in Standard Webhooks
    with the secret in keys/alarms.secret, which this command makes if there is none.

    Examples:
        comity-node alarms test
    """
    home = open_home(context)
    settings = home.settings.alarms
    if not (settings.command or settings.webhook):
        hint = "set command or webhook under [alarms] in comity.toml"
        raise BadConfig("expected a way for alarms to reach people, got none", hint=hint)

    secret = signing_secret(home.keys)
    asyncio.run(deliver(settings, alarm_test(home.institute, system_clock()), secret))

    way = "command" if settings.command else "webhook"
    if as_json:
        print_json({"delivered": True, "way": way})
    else:
        say(f"the {way} took the message")


def _value(alarm: AlarmRow) -> dict[str, Any]:
    return {
        "institute": alarm.institute,
        "reason": alarm.reason,
        "firstTime": format_time(to_datetime(alarm.first_time)),
        "lastTime": format_time(to_datetime(alarm.last_time)),
        "count": alarm.count,
        "deliveredTime": format_time(to_datetime(alarm.delivered_time))
        if alarm.delivered_time is not None
        else "",
        "message": alarm.message,
    }
