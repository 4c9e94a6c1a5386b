"""Serving, and seeing how the node is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

import typer
from sqlmodel import Session

from comity.client.command_line import JsonOption
from comity.client.terminal import err, print_fields, print_json, text
from comity.node.commands.options import open_home, open_node
from comity.node.commands.peers import in_words, peer_value
from comity.node.database.clock import to_datetime
from comity.node.database.tables import AlarmRow
from comity.node.home.node_certificate import Life, obstacle
from comity.node.node import Node
from comity.node.server.log_output import configure_logs
from comity.node.server.process import serve
from comity.node.server.status import summarise_node
from comity.node.trust.pins import fingerprint_of
from comity.record.times import format_time

ROOT_WARNING: Final = timedelta(days=30)
"""How long before its end a root is spoken of: its holders have to meet."""


def comity_node_run(context: typer.Context) -> None:
    """Serve the institute's people and its peers until interrupted.

    Logs are JSON lines on stderr, or key=value on a terminal. Several processes may serve one
    database if that is PostgreSQL; of a home with SQLite there is one.

    Examples:
        comity-node run
        comity-node run 2>> comity.log
    """
    home = open_home(context)
    configure_logs()
    with home.occupied():
        asyncio.run(serve(home))


def comity_node_status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show how the node is, and what needs attention.

    Records, log, policy, peers, and when root and certificate end. Alarms, and a certificate that
    is due and cannot be renewed, are told on stderr.

    Examples:
        comity-node status
        comity-node status --json
    """
    with open_node(context) as node:
        with node.store.read() as session:
            value = _value(node, session)
        problem = obstacle(node.home, to_datetime(node.clock()))
        root, now = node.own.root, to_datetime(node.clock())
    if root is not None and root.expires - now < ROOT_WARNING:
        message = f"the root ends at {format_time(root.expires)}"
        err.print(text(f"warning: {message}; peers will call it stale"), soft_wrap=True)
        err.print(text("hint: comity-node root next prepares the next version"), soft_wrap=True)
    if problem is not None:
        err.print(text(f"warning: the certificate cannot be renewed: {problem}"), soft_wrap=True)
        err.print(text(f"hint: {problem.hint}"), soft_wrap=True)
    if as_json:
        print_json(value)
        return
    for alarm in value["alarms"]:
        told = f"{alarm['reason']}: {alarm['institute']}: {alarm['message']}"
        since = f"since {alarm['firstTime']}, {alarm['count']} times"
        err.print(text(f"alarm: {told} ({since})", "bold red"), soft_wrap=True)
    value |= {name: len(value[name]) for name in ("peers", "alarms")}
    print_fields(in_words(value, "none"))


def _value(node: Node, session: Session) -> dict[str, Any]:
    life = Life.of(node.home)
    root = node.own.root
    settings, counted = node.home.settings, summarise_node(session, node.institute)
    return {
        "institute": node.institute,
        "softwareVersion": counted.software_version,
        "home": str(node.home.path),
        "address": settings.address,
        "database": settings.database.render_as_string(hide_password=True),
        "fingerprint": fingerprint_of(root or node.bundle),
        "rootVersion": root.version if root else 0,
        "rootExpiry": format_time(root.expires) if root else "",
        "certificateExpiry": format_time(life.end),
        "certificateRenewal": format_time(life.due),
        "records": counted.records,
        "logSize": counted.log_size,
        "policyDigest": counted.policy_digest,
        "peers": [peer_value(peer) for peer in counted.peers],
        "alarms": [_alarm_value(alarm) for alarm in counted.alarms],
    }


def _alarm_value(alarm: AlarmRow) -> dict[str, Any]:
    return {
        "institute": alarm.institute,
        "reason": alarm.reason,
        "message": alarm.message,
        "firstTime": format_time(to_datetime(alarm.first_time)),
        "lastTime": format_time(to_datetime(alarm.last_time)),
        "count": alarm.count,
    }
