"""Verifying records and their evidence: verify."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from comity.client import terminal
from comity.client.command_line import JsonOption
from comity.client.commands.options import (
    BundleOption,
    ProfileOption,
    trust_at_hand,
)
from comity.client.commands.rendering import render_split_view, render_verification
from comity.client.connection.node_client import NodeClient, connect
from comity.client.exports.checking import verify_path
from comity.client.exports.zip_archive import ZIP_SUFFIX
from comity.client.files import (
    MAX_RECORD_FILE_BYTES,
    naming,
    read_file,
)
from comity.client.verify.split_view_steps import (
    SplitVerification,
    is_split_view,
    verify_split_view,
)
from comity.client.verify.steps import Verdict, Verification
from comity.client.verify.trust import Trust
from comity.client.verify.withdrawal_steps import add_word
from comity.record.errors import (
    BadConfig,
    BadLogPolicy,
    ComityError,
    NotFound,
    UnknownKey,
)
from comity.record.limits import MAX_LOG_POLICY_BYTES
from comity.record.tlog_policy import LogPolicy

_EXIT_CODES: Final = {
    Verdict.INVALID: 1,
    Verdict.UNVERIFIABLE: 2,
    Verdict.WITHDRAWN: 4,
    Verdict.STALE: 3,
}
"""Worst first."""


AskOption = Annotated[
    bool, typer.Option("--ask", help="Ask your node whether a record was withdrawn since.")
]
PolicyOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="C2SP tlog-policy: the cosignatures evidence must have."),
]


def comity_verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Record files, exported folders or zips, split views."),
    ],
    bundle: BundleOption = None,
    ask: AskOption = False,
    policy: PolicyOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify records and their evidence offline, step by step.

    Keys count only if they are at hand: in a --bundle, or in the profile. A bundle that lies in an
    export counts only if you compared its fingerprint and name it with --bundle yourself. Only
    --ask, which asks your node, can tell that a record was superseded since, or withdrawn by a
    notice that does not lie in the export.

    The exit code is 0 if all are valid, 1 if one is invalid, 2 if one is unverifiable, 4 if one is
    withdrawn, and 3 if one is stale. Of several, the first of 1, 2, 4 and 3 counts. Invalid means
    that something contradicts. Unverifiable means that nothing is wrong, but the file itself, a
    key, a proof or a quorum is not at hand. Withdrawn means that all holds, but the issuer has
    taken the record back. Stale means that all holds, but the issuer's profile has expired.

    Examples:
        comity verify llama.record.json --bundle uk.aisi.example.bundle.json
        comity verify exported-folder --bundle bundles --json
        comity verify llama.record.json --ask
        comity verify llama.zip --bundle bundles --policy witnesses.policy
    """
    try:
        trust = trust_at_hand(bundle, profile)
        rules = _load_policy(policy) if policy else None
    except ComityError as error:
        # the code 1 would say that a record is forged, and nothing was looked at
        terminal.print_error(error, as_json=as_json)
        raise typer.Exit(_EXIT_CODES[Verdict.UNVERIFIABLE]) from error
    found, verdicts = _verify_all(files, trust, rules, as_json=as_json)
    if ask:
        found = asyncio.run(_ask_node(found, profile))
        verdicts |= {verification.verdict for _, verification in found}

    _print_all(found, as_json=as_json)
    # every file has been told by now; the worst verdict gives the code
    for verdict, code in _EXIT_CODES.items():
        if verdict in verdicts:
            raise typer.Exit(code)


def _load_policy(path: Path) -> LogPolicy:
    data = read_file(path, MAX_LOG_POLICY_BYTES)
    with naming(path):
        try:
            return LogPolicy.parse(data.decode())
        except UnicodeDecodeError as error:
            raise BadLogPolicy(f"expected UTF-8: {error}") from error


def _verify_all(
    files: list[Path], trust: Trust, policy: LogPolicy | None, *, as_json: bool
) -> tuple[list[tuple[Path, Verification | SplitVerification]], set[Verdict]]:
    """Verify each; of one that cannot be read it is told at once, so that the others are seen."""
    found: list[tuple[Path, Verification | SplitVerification]] = []
    verdicts: set[Verdict] = set()

    for path in files:
        try:
            verification = _verify(path, trust, policy)
        except ComityError as error:
            terminal.print_error(error, as_json=as_json)
            # a file that cannot be read contradicts nothing
            unread = isinstance(error, BadConfig)
            verdicts.add(Verdict.UNVERIFIABLE if unread else Verdict.INVALID)
        else:
            found.append((path, verification))
            verdicts.add(verification.verdict)

    return found, verdicts


async def _ask_node(
    found: list[tuple[Path, Verification | SplitVerification]], profile: str | None
) -> list[tuple[Path, Verification | SplitVerification]]:
    """Add what the node knows of withdrawals and later versions to each verification."""
    async with connect(profile) as node:
        return [
            (path, await _ask_about(node, one) if isinstance(one, Verification) else one)
            for path, one in found
        ]


async def _ask_about(node: NodeClient, verification: Verification) -> Verification:
    try:
        result = await node.get(verification.record.record_id)
    except NotFound:
        return add_word(verification, None, "your node does not hold the record")
    later = f"; superseded by {', '.join(result.superseded_by)}" if result.superseded_by else ""
    said = f"your node knows of no withdrawal{later}"
    return add_word(verification, result.withdrawal, said)


def _verify(path: Path, trust: Trust, policy: LogPolicy | None) -> Verification | SplitVerification:
    if path.is_file() and path.suffix != ZIP_SUFFIX:
        data = read_file(path, MAX_RECORD_FILE_BYTES)
        # by its content: evidence is passed on under any name
        if is_split_view(data):
            return verify_split_view(data, trust)
    return verify_path(path, trust, datetime.now(UTC), policy)


def _print_all(
    found: list[tuple[Path, Verification | SplitVerification]], *, as_json: bool
) -> None:
    if as_json:
        values = [{"file": str(path), **verification.to_value()} for path, verification in found]
        terminal.print_json({"files": values})
    else:
        for path, verification in found:
            _print(path, verification)
    reasons = {step.reason for _, verification in found for step in verification.steps}
    # the likeliest cause of "unverifiable" is a bundle that is not at hand
    if UnknownKey.reason in reasons and not as_json:
        hint = "hint: comity bundles --output bundles, then comity verify --bundle bundles FILE..."
        terminal.note(hint)


def _print(path: Path, verification: Verification | SplitVerification) -> None:
    if isinstance(verification, SplitVerification):
        terminal.print_text(render_split_view(str(path), verification))
    else:
        terminal.print_text(render_verification(str(path), verification))
