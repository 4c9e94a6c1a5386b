"""Looking at records: show, verify, export."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from comity.client import terminal
from comity.client.commands.options import (
    BundleOption,
    JsonOption,
    ProfileOption,
    RecordArgument,
    as_path,
    trusted_bundles,
)
from comity.client.exporting import export_record, verify_export
from comity.client.files import load_record, naming
from comity.client.node import connect
from comity.client.rendering import render_record, render_verification
from comity.client.result import Result
from comity.client.verification import Outcome, Verdict, Verification, verify_record
from comity.record.bundle import Keyring, TrustBundle
from comity.record.record import open_record
from comity.record.times import format_time

_EXIT_CODES: Final = {Verdict.INVALID: 1, Verdict.UNVERIFIABLE: 2}


def show(
    record: RecordArgument,
    bundle: BundleOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a record: its header and its sections.

    A section is present, withheld, or broken. Exits with 1 if the record is not valid.
    """
    path = as_path(record)
    if path is None:
        result, _ = asyncio.run(_get(record, profile))
        _show_result(result, as_json=as_json)
        return
    verification = _verify(path, trusted_bundles(bundle, profile))
    view = verification.view
    if as_json:
        shown = view.to_value() if view else {}
        terminal.print_json({**shown, "verification": verification.to_value()})
    elif view:
        facts = [("verified", _verdict_in_words(verification))]
        terminal.print_text(render_record(view, facts))
    else:
        terminal.print_text(render_verification(str(path), verification))
    if verification.verdict is Verdict.INVALID:
        raise typer.Exit(1)


def verify(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Record files or exported folders.")
    ],
    bundle: BundleOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify records offline, step by step.

    Exits with 0 if all are valid, 1 if one is not, and 2 if none is wrong but one is signed with
    a key that is in no trust bundle at hand. What cannot be seen offline: whether the record is
    in its issuer's log, and whether it has been superseded or withdrawn since.
    """
    bundles = trusted_bundles(bundle, profile)
    found = [(path, _verify(path, bundles)) for path in files]
    if as_json:
        values = [{"file": str(path), **verification.to_value()} for path, verification in found]
        terminal.print_json({"files": values})
    else:
        for path, verification in found:
            terminal.print_text(render_verification(str(path), verification))
    verdicts = {verification.verdict for _, verification in found}
    if Verdict.UNVERIFIABLE in verdicts and not as_json:
        hint = "hint: comity bundles --output bundles, then comity verify --bundle bundles FILE..."
        terminal.err.print(hint, soft_wrap=True)
    for verdict in (Verdict.INVALID, Verdict.UNVERIFIABLE):
        if verdict in verdicts:
            raise typer.Exit(_EXIT_CODES[verdict])


def export(
    record: RecordArgument,
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Folder to make, or an empty one.")
    ],
    bundle: BundleOption = None,
    profile: ProfileOption = None,
) -> None:
    """Write a record as plain files, for other tools.

    openssl, sha256sum and securesystemslib can check them; CHECK.md in the folder says how.
    Only a record that verifies is exported.
    """
    path = as_path(record)
    if path is None:
        result, keyring = asyncio.run(_get(record, profile))
        opened = result.opened
    else:
        keyring = Keyring(trusted_bundles(bundle, profile))
        with naming(path):
            opened = open_record(load_record(path), keyring.find)
    _, key = keyring.find(opened.record.envelope.keyid)
    export_record(opened, key, output)
    terminal.out.print(f"{output}: how to check it is in CHECK.md", soft_wrap=True)


def _verify(path: Path, bundles: list[TrustBundle]) -> Verification:
    now = datetime.now(UTC)
    if path.is_dir():
        return verify_export(path, bundles, now)
    return verify_record(load_record(path), bundles, now)


async def _get(record_id: str, profile: str | None) -> tuple[Result, Keyring]:
    async with connect(profile) as node:
        return await node.get(record_id), node.keyring


def _show_result(result: Result, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(result.to_value())
        return
    facts = [
        ("origin", result.origin),
        ("received", format_time(result.received_time)),
        *(("superseded by", record_id) for record_id in result.superseded_by),
        ("verified", "valid"),
    ]
    terminal.print_text(render_record(result.view, facts))


def _verdict_in_words(verification: Verification) -> str:
    failed = [step for step in verification.steps if step.outcome is Outcome.FAILED]
    return ": ".join([str(verification.verdict), *(step.detail for step in failed[:1])])
