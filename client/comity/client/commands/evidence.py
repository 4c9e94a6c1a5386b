"""Records and their evidence outside a node: export, verify."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

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
from comity.client.commands.rendering import render_split_view, render_verification
from comity.client.connection.node_client import NodeClient, connect
from comity.client.exports.checking import verify_path
from comity.client.exports.writing import export_record
from comity.client.exports.zip_archive import ZIP_SUFFIX
from comity.client.files import (
    MAX_RECORD_FILE_BYTES,
    load_record,
    naming,
    read_file,
)
from comity.client.verify.evidence import Evidence
from comity.client.verify.split_view_steps import (
    SplitVerification,
    is_split_view,
    verify_split_view,
)
from comity.client.verify.steps import Verdict, Verification
from comity.client.verify.trust import Trust
from comity.record.bundle import Keyring
from comity.record.errors import BadConfig, BadLogPolicy, ComityError, RevokedKey, UnknownKey
from comity.record.keys import RecordKey
from comity.record.limits import MAX_LOG_POLICY_BYTES
from comity.record.record import OpenedRecord, open_record
from comity.record.tlog_policy import LogPolicy
from comity.record.tlog_proof import TlogProof

_EXIT_CODES: Final = {Verdict.INVALID: 1, Verdict.UNVERIFIABLE: 2, Verdict.STALE: 3}
"""Worst first."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A record to be exported; ``proof`` is why there is none, or None where none was wanted."""

    opened: OpenedRecord
    trust: Trust
    proof: TlogProof | ComityError | None = None


def comity_verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Record files, exported folders or zips, split views."),
    ],
    bundle: BundleOption = None,
    policy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="C2SP tlog-policy: the cosignatures evidence must have."),
    ] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify records and their evidence offline, step by step.

    Keys count only if they are at hand: in a --bundle, or in the profile. A bundle that lies in an
    export counts only if you compared its fingerprint and name it with --bundle yourself. The
    command cannot see offline whether a record has been superseded or withdrawn since.

    The exit code is 0 if all are valid, 1 if one is invalid, 2 if one is unverifiable, and 3 if one
    is stale. Of several, the first of 1, 2 and 3 counts. Invalid means that something contradicts.
    Unverifiable means that nothing is wrong, but the file itself, a key, a proof or a quorum is not
    at hand. Stale means that all holds, but the issuer's profile has expired.

    Examples:
        comity verify llama.record.json --bundle uk.aisi.example.bundle.json
        comity verify exported-folder --bundle bundles --json
        comity verify llama.zip --bundle bundles --policy witnesses.policy
    """
    trust = trust_at_hand(bundle, profile)
    # a fault in it is the caller's and no verdict, so it is read before any file
    rules = _load_policy(policy) if policy else None
    found, verdicts = _verify_all(files, trust, rules, as_json=as_json)

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
    # every file has been told by now; the worst verdict gives the code
    for verdict, code in _EXIT_CODES.items():
        if verdict in verdicts:
            raise typer.Exit(code)


def comity_export(
    record: RecordArgument,
    output: Annotated[
        Path, typer.Option(metavar="PATH", help="Folder to make, an empty one, or a new *.zip.")
    ],
    evidence: Annotated[
        bool,
        typer.Option("--evidence", help="Add the proof that it is in its issuer's log."),
    ] = False,
    bundle: BundleOption = None,
    profile: ProfileOption = None,
) -> None:
    """Write a record as plain files, for other tools.

    CHECK.md, one of the files, says how openssl, sha256sum, securesystemslib and cosign check them.
    The command exports only a record that verifies. If it gets no proof of the log, it says so and
    writes the rest.

    Examples:
        comity export 9f86d081 --output llama
        comity export 9f86d081 --evidence --output llama.zip
        comity export llama.record.json --output llama
    """
    path = as_path(record)
    if path is None:
        source = asyncio.run(_from_node(record, profile, evidence=evidence))
    else:
        trust = trust_at_hand(bundle, profile)
        # verified before it is written: an export of a false record would pass for evidence
        with naming(path):
            opened = open_record(load_record(path), Keyring(trust.bundles).find)
        # the record needs no node, only the proof does
        proof = asyncio.run(_prove(opened.record_id, profile)) if evidence else None
        source = _Source(opened, trust, proof)

    _, key = Keyring(source.trust.bundles).find(source.opened.record.envelope.keyid)
    export_record(source.opened, key, output, _evidence(source, key))
    terminal.say(f"{output}: how to check it is in CHECK.md")


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


def _verify(path: Path, trust: Trust, policy: LogPolicy | None) -> Verification | SplitVerification:
    if path.is_file() and path.suffix != ZIP_SUFFIX:
        data = read_file(path, MAX_RECORD_FILE_BYTES)
        # by its content: evidence is passed on under any name
        if is_split_view(data):
            return verify_split_view(data, trust)
    return verify_path(path, trust, datetime.now(UTC), policy)


def _print(path: Path, verification: Verification | SplitVerification) -> None:
    if isinstance(verification, SplitVerification):
        terminal.print_text(render_split_view(str(path), verification))
    else:
        terminal.print_text(render_verification(str(path), verification))


async def _from_node(record_id: str, profile: str | None, *, evidence: bool) -> _Source:
    async with connect(profile) as node:
        result = await node.get(record_id)
        # a key that was revoked since: the node still shows the record, but vouches no more
        if result.problem:
            raise RevokedKey(result.problem, field=result.record_id)
        opened = result.opened
        # the issuer may have been removed as a peer since, and its records stay good
        trust = Trust((*node.bundles, *node.former_bundles), node.roots)
        return _Source(opened, trust, await _ask(node, opened.record_id) if evidence else None)


async def _prove(record_id: str, profile: str | None) -> TlogProof | ComityError:
    try:
        async with connect(profile) as node:
            return await _ask(node, record_id)
    except ComityError as error:
        return error


async def _ask(node: NodeClient, record_id: str) -> TlogProof | ComityError:
    try:
        return await node.log.inclusion(record_id)
    except ComityError as error:
        return error


def _evidence(source: _Source, key: RecordKey) -> Evidence | None:
    if source.proof is None:
        return None

    institute = source.opened.statement.issuer.institute
    issuer = source.trust.bundle(institute)
    if issuer is None:
        raise UnknownKey(f"expected the bundle of {institute}, got none", field="bundle")
    if isinstance(source.proof, ComityError):
        # all checks that need no log are worth having without it
        told = f"no proof that it stands in the log of {institute}: {source.proof}"
        terminal.note(told)
        found = Evidence.without_proof(issuer)
    else:
        witnesses = source.trust.witnesses(institute)
        envelope = source.opened.record.envelope
        found = Evidence.of(envelope, key, issuer, source.proof, witnesses)
    return replace(found, root=source.trust.root(institute))
