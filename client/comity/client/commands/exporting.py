"""Writing records as plain files: export."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from comity.client import terminal
from comity.client.commands.options import (
    BundleOption,
    ProfileOption,
    RecordArgument,
    as_path,
    trust_at_hand,
)
from comity.client.commands.rendering import render_withdrawal
from comity.client.connection.node_client import NodeClient, connect
from comity.client.exports.writing import export_record
from comity.client.files import (
    load_record,
    naming,
)
from comity.client.verify.evidence import Evidence
from comity.client.verify.trust import Trust
from comity.record.bundle import Keyring
from comity.record.errors import ComityError, RevokedKey, UnknownKey
from comity.record.keys import RecordKey
from comity.record.record import OpenedRecord, open_record
from comity.record.tlog_proof import TlogProof
from comity.record.withdrawal import Withdrawal


@dataclass(frozen=True, slots=True)
class _Source:
    """A record to be exported; ``proof`` is why there is none, or None where none was wanted."""

    opened: OpenedRecord
    trust: Trust
    proof: TlogProof | ComityError | None = None
    withdrawal: Withdrawal | None = None


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
    page.html shows the record in a browser; it holds no script and loads nothing.
    The command exports only a record that verifies. If it gets no proof of the log, it says so and
    writes the rest. With a record that its issuer has withdrawn it writes the notice too.

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
    export_record(source.opened, key, output, _evidence(source, key), source.withdrawal)
    if source.withdrawal is not None:
        terminal.print_text(render_withdrawal(source.withdrawal))
    terminal.say(f"{output}: how to check it is in CHECK.md")


async def _from_node(record_id: str, profile: str | None, *, evidence: bool) -> _Source:
    async with connect(profile) as node:
        result = await node.get(record_id)
        # a key that was revoked since: the node still shows the record, but vouches no more
        if result.problem:
            raise RevokedKey(result.problem, field=result.record_id)
        opened = result.opened
        # the issuer may have been removed as a peer since, and its records stay good
        trust = Trust((*node.bundles, *node.former_bundles), node.roots)
        proof = await _ask(node, opened.record_id) if evidence else None
        return _Source(opened, trust, proof, result.withdrawal)


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
