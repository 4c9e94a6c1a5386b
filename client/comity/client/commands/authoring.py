"""Making records: new, schema, sign, publish."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from comity.client import terminal
from comity.client.command_line import JsonOption
from comity.client.commands.options import ProfileOption
from comity.client.connection.node_client import connect
from comity.client.drafts.draft import Draft
from comity.client.drafts.schemas import SCHEMAS
from comity.client.drafts.template import card_template, withdrawal_template
from comity.client.files import (
    MAX_DRAFT_BYTES,
    RECORD_SUFFIX,
    load_record,
    make_folder,
    naming,
    read_file,
    write_file,
)
from comity.record.errors import NotFound
from comity.record.keys import SigningKey
from comity.record.record import Record, open_record
from comity.record.spiffe import SpiffeId

NewFileArgument = Annotated[Path | None, typer.Argument(help="File to make. Default: stdout.")]


def comity_new_card(file: NewFileArgument = None) -> None:
    """Write the draft of a model card, each field explained.

    Examples:
        comity new card llama.yaml
        comity new card > llama.yaml
    """
    _write_template(card_template(), file)


def comity_new_withdrawal(file: NewFileArgument = None) -> None:
    """Write the draft of a notice of withdrawal, explained.

    Examples:
        comity new withdrawal notice.yaml
    """
    _write_template(withdrawal_template(), file)


def _write_template(draft: str, file: Path | None) -> None:
    if file is None:
        sys.stdout.write(draft)
        return
    write_file(file, draft.encode())
    terminal.note(f"Fill in {file}, then: comity sign {file} --key KEY --issuer SPIFFE-ID")


def comity_schema(
    name: Annotated[str, typer.Argument(help="draft, or a section such as risks.")] = "draft",
) -> None:
    """Print the JSON Schema of drafts or of a section.

    Editors complete and check YAML by it; comity new card says how.

    Examples:
        comity schema > draft.schema.json
        comity schema risks
    """
    if name not in SCHEMAS:
        raise NotFound(f"expected one of {', '.join(SCHEMAS)}, got {name!r:.80}", field="schema")
    terminal.print_json(SCHEMAS[name]())


def comity_sign(
    drafts: Annotated[list[Path], typer.Argument(metavar="DRAFT", help="Drafts in YAML.")],
    key: Annotated[Path, typer.Option(help="Record key: PKCS #8 PEM, mode 0600.")],
    issuer: Annotated[str, typer.Option(metavar="SPIFFE-ID", help="Issuer of the records.")],
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where to write. Default: beside each draft."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sign drafts; each becomes a *.record.json.

    The command writes nothing unless all drafts are good.

    Examples:
        comity sign llama.yaml --key record.key --issuer spiffe://uk.aisi.example/operator/bo
    """
    signing_key, who = SigningKey.load(key), SpiffeId.parse(issuer)
    # every draft is read, signed and checked before the first file is written
    signed = [(path, _sign(path, who, signing_key)) for path in drafts]
    if output is not None:
        make_folder(output)
    values = []
    for path, record in signed:
        # comity import names its drafts NAME.draft.yaml
        stem = path.name.removesuffix(path.suffix).removesuffix(".draft")
        target = (output or path.parent) / (stem + RECORD_SUFFIX)
        write_file(target, record.to_json())
        values.append({"file": str(target), "recordId": record.record_id})

    if as_json:
        terminal.print_json({"records": values})
        return

    for value in values:
        terminal.say(f"{value['recordId']}  {value['file']}")


def comity_publish(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Record files.")],
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish records of your institute at its node.

    This command is for operators.

    Examples:
        comity publish llama.record.json
    """
    # every file is read before the first record is sent
    records = [load_record(path) for path in files]
    values = asyncio.run(_publish(records, profile))
    if as_json:
        terminal.print_json({"records": values})
        return
    for value in values:
        known = ", was there already" if value["alreadyStored"] else ""
        line = f"{value['recordId']}  log index {value['logIndex']}{known}"
        terminal.say(line)
        for warning in value["warnings"]:
            terminal.warn(terminal.visible(f"{value['recordId'][:12]}: {warning}"))


def _sign(path: Path, issuer: SpiffeId, key: SigningKey) -> Record:
    with naming(path):
        data = read_file(path, MAX_DRAFT_BYTES)
        record = Draft.from_yaml(data).sign(issuer, key)
        # whatever would be refused elsewhere is better refused here
        open_record(record, lambda _: (frozenset({issuer.institute}), key.key))
        return record


async def _publish(records: list[Record], profile: str | None) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = []
    async with connect(profile) as node:
        # one call each: after an error the same command can be given again (invariant 5)
        for record in records:
            answer = await node.publish(record)
            value: dict[str, Any] = {"recordId": answer.record_id, "logIndex": answer.log_index}
            value |= {"alreadyStored": answer.already_stored, "warnings": list(answer.warnings)}
            values.append(value)
    return values
