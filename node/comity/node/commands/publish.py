"""Publishing: records go through the node's one door and into its log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from comity.client.command_line import JsonOption
from comity.client.drafts.draft import Draft
from comity.client.files import (
    DRAFT_SUFFIXES,
    MAX_DRAFT_BYTES,
    RECORD_SUFFIX,
    load_record,
    naming,
    read_file,
)
from comity.client.terminal import print_json, progress, say, visible, warn
from comity.node.commands.options import open_node, warn_without_policy
from comity.node.log.head import check_takes_records
from comity.node.node import Node
from comity.node.records.publishing import Published
from comity.record.bundle import Keyring
from comity.record.errors import BadDraft, InvalidInput, NotFound
from comity.record.record import Record


def comity_node_publish(
    context: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="*.record.json, drafts in YAML, or folders of them."),
    ],
    again: Annotated[
        bool, typer.Option("--again", help="Publish a draft whose content was published before.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Store, log and release records of this institute.

    The command publishes all files or none, and tells the faults of all. It takes signed records as
    they are. It signs a draft with the node's record key, as spiffe://INSTITUTE/node. A draft that
    says the same as a record of this institute that stands is refused, unless you add --again.
    A log that is halted takes no record.

    Examples:
        comity-node publish llama-3.1-8b.yaml
        comity-node publish signed/*.record.json
        comity-node publish cards/
    """
    files = _files(paths)
    with open_node(context) as node:
        # before drafts are signed: a record with a signature may be used elsewhere
        with node.store.read() as session:
            check_takes_records(session)
        # every file is read, signed and examined before the first row is written
        records = _read_all(node, files)
        # one transaction: on return all of them are on disk and in the log (invariant 4)
        published = node.publish_all(records, again=again)
        with node.store.read() as session:
            warn_without_policy(session)
    values = [_value(file, done) for file, done in zip(files, published, strict=True)]
    if as_json:
        print_json(values)
        return
    for value in values:
        # to publish again is no error, since a record is stored once (invariant 5)
        note = " (was here already)" if value["alreadyStored"] else ""
        line = f"{value['recordId']}  log {value['logIndex']}  {value['file']}{note}"
        say(line)
        for warning in value["warnings"]:
            warn(visible(f"{value['file']}: {warning}"))


def _files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that are meant: those of a folder in the order of their names.

    Raises:
        NotFound: a folder holds no record and no draft.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = [file for file in sorted(path.iterdir()) if file.is_file() and _is_meant(file)]
        if not inside:
            message = f"expected *{RECORD_SUFFIX} or drafts in YAML, got none"
            raise NotFound(message, field=str(path))
        found += inside
    return found


def _is_meant(file: Path) -> bool:
    return file.suffix in DRAFT_SUFFIXES or file.name.endswith(RECORD_SUFFIX)


def _read_all(node: Node, files: Sequence[Path]) -> list[Record]:
    """Return the records of some files.

    Raises:
        InvalidInput: of the class that names the reason, if one file is at fault; if several are,
            a BadDraft that tells of all.
    """
    records: list[Record] = []
    faults: list[InvalidInput] = []
    for file in progress(files, "Reading"):
        try:
            records.append(_read(node, file))
        except InvalidInput as error:
            faults.append(error)

    if len(faults) > 1:
        told = "".join(f"\n{fault}" for fault in faults)
        message = f"{len(faults)} of {len(files)} files are not acceptable:{told}"
        raise BadDraft(message, hint="nothing was published")
    if faults:
        raise faults[0]
    return records


def _read(node: Node, file: Path) -> Record:
    if file.suffix in DRAFT_SUFFIXES:
        data = read_file(file, MAX_DRAFT_BYTES)
        with naming(file):
            record = Draft.from_yaml(data).sign(node.home.node_id, node.key)
    else:
        record = load_record(file)
    with naming(file):
        # publishing looks again; here it is known which of the files is to blame
        node.examiner.examine(record, node.institute, Keyring([node.bundle]))
    return record


def _value(file: Path, done: Published) -> dict[str, Any]:
    return {
        "file": str(file),
        "recordId": done.record_id,
        "logIndex": done.log_index,
        "alreadyStored": done.already_stored,
        "warnings": list(done.warnings),
    }
