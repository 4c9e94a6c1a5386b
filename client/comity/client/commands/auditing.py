"""Auditing one's own node: releases, receipts, quarantine, explanations, status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC
from typing import Annotated, TypeVar

import typer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.text import Text

from comity.client import terminal
from comity.client.command_line import JsonOption
from comity.client.commands.options import ProfileOption
from comity.client.commands.rendering import SHORT_ID_CHARS
from comity.client.connection.node_client import NodeClient, connect
from comity.client.connection.results import message_value
from comity.client.terminal import text
from comity.record.times import format_time
from comity.v1 import admin_service_pb2, audit_service_pb2

_T = TypeVar("_T")

PeerOption = Annotated[str, typer.Option("--peer", metavar="INSTITUTE", help="Only of this peer.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="Print at most this many.")]
AllOption = Annotated[bool, typer.Option("--all", help="Print all, whatever --limit says.")]


def comity_releases(
    peer: PeerOption = "",
    record: Annotated[
        str,
        typer.Option("--record", metavar="ID", help="Only of this record; 8 digits are enough."),
    ] = "",
    limit: LimitOption = 100,
    everything: AllOption = False,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was given to each peer, and by which rules.

    This command is for auditors. The rules are those of the policy version beside them, which an
    operator prints with comity-node policy show --version N.

    Examples:
        comity releases --peer ca.aisi.example
        comity releases --all --json
    """
    maximum = None if everything else limit
    found = asyncio.run(_collect(profile, lambda node: node.releases(peer, record), maximum))

    if as_json:
        terminal.print_json({"releases": [message_value(release) for release in found]})
        return

    columns = ("released", "peer", "offer", "record", "part", "policy", "rules", "receipt")
    rows = terminal.table(*columns)
    # trust boundary 6: rules and ids are data of peers, so they pass through text()
    for release in found:
        rows.add_row(
            _time(release, "release_time"),
            text(release.peer),
            str(release.offer_number),
            text(release.record_id[:SHORT_ID_CHARS]),
            _part(release),
            f"version {release.policy_version}",
            text(", ".join(release.rules)),
            _time(release, "receipt_time") or "waits",
        )
    terminal.print_table(rows)


def comity_receipts(
    peer: PeerOption = "",
    limit: LimitOption = 20,
    everything: AllOption = False,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the receipts that peers have signed.

    This command is for auditors. It checks each signature itself, with the peer's trust bundle.

    Examples:
        comity receipts --peer ca.aisi.example
    """
    maximum = None if everything else limit
    found = asyncio.run(_collect(profile, lambda node: node.receipts(peer), maximum))

    if as_json:
        terminal.print_json({"receipts": [signed.to_value() for signed in found]})
        return

    rows = terminal.table("received", "peer", "stored", "rejected", "key", "signature")
    for signed in found:
        receipt = signed.receipt
        rows.add_row(
            format_time(signed.receipt_time),
            text(signed.peer),
            # a receipt that cannot be read has no counts, but stays in the list with its problem
            str(len(receipt.stored)) if receipt else "",
            str(len(receipt.rejected)) if receipt else "",
            text(signed.envelope.keyid),
            text(signed.problem, "bold red") if signed.problem else "valid",
        )
    terminal.print_table(rows)


def comity_quarantine(
    peer: PeerOption = "",
    limit: LimitOption = 100,
    everything: AllOption = False,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the records that were refused, and why.

    This command is for auditors. A waiting record is taken by itself, once time or a later root of
    its issuer makes it acceptable.

    Examples:
        comity quarantine --json
    """
    maximum = None if everything else limit
    found = asyncio.run(_collect(profile, lambda node: node.quarantine(peer), maximum))

    if as_json:
        terminal.print_json({"quarantine": [message_value(apart) for apart in found]})
        return

    rows = terminal.table("last", "peer", "record", "times", "state", "reason", "message")
    for apart in found:
        rows.add_row(
            _time(apart, "quarantine_time"),
            text(apart.peer),
            text(apart.record_id[:SHORT_ID_CHARS]),
            str(apart.count),
            "waiting" if apart.waiting else "refused",
            text(apart.reason),
            text(apart.message),
        )
    terminal.print_table(rows)


def comity_explain(
    record: Annotated[str, typer.Argument(metavar="ID", help="Record id; 8 digits are enough.")],
    peer: Annotated[str, typer.Option(metavar="INSTITUTE", help="The peer that is asked about.")],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain which parts of a record a peer gets, and why.

    This command is for auditors. It shows, for each part that is withheld, the nearest change that
    would release it.

    Examples:
        comity explain 9f86d081 --peer ca.aisi.example
    """
    answer = asyncio.run(_ask(profile, lambda node: node.explain(peer, record)))
    if as_json:
        terminal.print_json({"parts": [message_value(part) for part in answer.parts]})
        return
    rows = terminal.table("part", "now", "released", "why", "nearest change")
    for part in answer.parts:
        now = "given" if part.allowed else "withheld"
        released = _time(part, "release_time") or "-"
        nearest = text("; or ".join(part.nearest) or "-")
        rows.add_row(_part(part), now, released, text(part.message), nearest)
    terminal.print_table(rows)


def comity_status(profile: ProfileOption = None, as_json: JsonOption = False) -> None:
    """Show the state of your node and its peers.

    This command is for auditors and operators. It prints alarms, which need attention, on stderr.

    Examples:
        comity status
        comity status --json
    """
    answer = asyncio.run(_ask(profile, lambda node: node.status()))

    if as_json:
        terminal.print_json(message_value(answer))
        return

    head = f"{answer.institute}: {answer.records} records, {answer.log_size} in its log"
    terminal.say(head, "bold")
    terminal.say(f"software {answer.software_version}, policy {_policy_title(answer)}")
    terminal.say("")
    # on stderr, so that alarms are seen also if the table goes into a file
    for alarm in answer.alarms:
        told = f"{alarm.reason}: {alarm.institute}: {alarm.message}"
        since = f"since {_time(alarm, 'first_time')}, {alarm.count} times"
        terminal.note(f"alarm: {told} ({since})", "bold red")
    columns = ("released", "receipted", "received", "refused", "waiting")
    rows = terminal.table("peer", "status", *columns, "contact", "error")
    for peer in answer.peers:
        received = (peer.received, peer.refused, peer.waiting)
        counts = (peer.released, peer.receipted, *received)
        rows.add_row(
            text(peer.institute),
            text(peer.status),
            *map(str, counts),
            _time(peer, "contact_time") or "never",
            text(peer.last_error),
        )
    terminal.print_table(rows)


async def _collect(
    profile: str | None, choose: Callable[[NodeClient], AsyncIterator[_T]], maximum: int | None
) -> list[_T]:
    found: list[_T] = []
    async with connect(profile) as node:
        async for item in choose(node):
            found.append(item)
            # leaving ends the stream: the node sends no page that nobody prints
            if len(found) == maximum:
                break
    return found


async def _ask(profile: str | None, choose: Callable[[NodeClient], Awaitable[_T]]) -> _T:
    async with connect(profile) as node:
        return await choose(node)


def _policy_title(answer: admin_service_pb2.GetStatusResponse) -> str:
    if not answer.policy_version:
        return "none: nothing is given to peers"
    version = f"version {answer.policy_version}, digest {answer.policy_digest}"
    return f"{answer.policy_name}, {version}" if answer.policy_name else version


def _time(message: Message, field: str) -> str:
    """Return a timestamp field as RFC 3339, empty if it is unset."""
    if not message.HasField(field):
        return ""
    stamp: Timestamp = getattr(message, field)
    return format_time(stamp.ToDatetime(UTC))


def _part(part: audit_service_pb2.Release | admin_service_pb2.PartExplanation) -> Text:
    return text("(header)" if part.is_header else part.section)
