"""Publishing: records go through the node's one door and into its log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from comity.client.command_line import JsonOption
from comity.client.drafts.draft import Draft
from comity.client.files import DRAFT_SUFFIXES, MAX_DRAFT_BYTES, load_record, naming, read_file
from comity.client.terminal import (
    print_json,
    say,
    visible,
    warn,
)
from comity.node.commands.options import open_node, warn_without_policy
from comity.node.database.tables import LogHeadRow
from comity.node.node import Node, Published
from comity.record.bundle import Keyring
from comity.record.record import Record


def comity_node_publish(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="*.record.json, or drafts in YAML.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Store, log and release records of this institute.

    The command publishes all files or none. It takes signed records as they are. It signs a draft
    with the node's record key, as spiffe://INSTITUTE/node, so a draft that is published twice makes
    two records.

    Examples:
        comity-node publish llama-3.1-8b.yaml
        comity-node publish signed/*.record.json
    """
    with open_node(context) as node:
        # every file is read, signed and examined before the first row is written
        records = [_read(node, file) for file in files]
        # one transaction: on return all of them are on disk and in the log (invariant 4)
        published = node.publish_all(records)
        with node.store.read() as session:
            warn_without_policy(session)
            head = session.get(LogHeadRow, 1)
            if head is not None and head.halted:
                hint = "comity-node status tells more; nobody is shown a proof of a new record"
                warn(f"the log is halted: {visible(head.halted)}", hint)
    values = [_value(file, done) for file, done in zip(files, published, strict=True)]
    if as_json:
        print_json(values)
        return
    for value in values:
        # to publish again is no error, since a record is stored once (invariant 5)
        note = " (was here already)" if value["alreadyStored"] else ""
        line = f"{value['recordId']}  log {value['logIndex']}  {value['file']}{note}"
        say(line)


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
    }
