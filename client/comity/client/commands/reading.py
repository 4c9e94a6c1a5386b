"""Looking at records: show."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import typer

from comity.client import terminal
from comity.client.command_line import JsonOption
from comity.client.commands.options import (
    BundleOption,
    ProfileOption,
    RecordArgument,
    as_path,
    trust_at_hand,
)
from comity.client.commands.rendering import render_record, render_verification, render_withdrawal
from comity.client.connection.node_client import connect
from comity.client.connection.results import Result
from comity.client.exports.checking import verify_path
from comity.client.verify.steps import Outcome, Verdict, Verification
from comity.record.times import format_time


def comity_show(
    record: RecordArgument,
    bundle: BundleOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a record: its header and its sections.

    A section is present, withheld, or broken. The exit code is 1 if the record is invalid, or if
    its key was revoked.

    Examples:
        comity show 9f86d081
        comity show llama.record.json --json
    """
    path = as_path(record)
    if path is None:
        result = asyncio.run(_get(record, profile))
        _show_result(result, as_json=as_json)
        # after it is shown: a person has to see what is not to be trusted
        if result.problem:
            raise typer.Exit(1)
        return

    verification = verify_path(path, trust_at_hand(bundle, profile), datetime.now(UTC))
    view = verification.view

    if as_json:
        shown = view.to_value() if view else {}
        terminal.print_json({**shown, "verification": verification.to_value()})
    elif view:
        facts = [("verified", _verdict_in_words(verification))]
        if verification.withdrawal:
            terminal.print_text(render_withdrawal(verification.withdrawal))
            terminal.say("")
        terminal.print_text(render_record(view, facts))
    else:
        terminal.print_text(render_verification(str(path), verification))
    # unverifiable is no failure here: it is printed, and comity verify has a code for it
    if verification.verdict is Verdict.INVALID:
        raise typer.Exit(1)


async def _get(record_id: str, profile: str | None) -> Result:
    async with connect(profile) as node:
        return await node.get(record_id)


def _show_result(result: Result, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(result.to_value())
        return
    # before all else: a reader must not take for current what was taken back or replaced
    if result.withdrawal:
        terminal.print_text(render_withdrawal(result.withdrawal))
    for later in result.superseded_by:
        terminal.say(f"SUPERSEDED by {later}", "bold yellow")
    if result.withdrawal or result.superseded_by:
        terminal.say("")

    facts = [
        ("origin", result.origin),
        ("received", format_time(result.received_time)),
        ("verified", _result_in_words(result)),
    ]
    terminal.print_text(render_record(result.view, facts))


def _result_in_words(result: Result) -> str:
    if result.problem:
        return f"not trusted: {result.problem}"
    if result.withdrawal:
        return "withdrawn: the signature holds, but the issuer has taken the record back"
    return "valid"


def _verdict_in_words(verification: Verification) -> str:
    passed = (Outcome.OK, Outcome.SKIPPED)
    failed = [step for step in verification.steps if step.outcome not in passed]
    return ": ".join([str(verification.verdict), *(step.detail for step in failed[:1])])
