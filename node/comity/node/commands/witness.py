"""Witnessing others' logs: what is seen of them, the evidence, and the operator's way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from sqlmodel import Session

from comity.client.command_line import JsonOption
from comity.client.files import write_file
from comity.client.terminal import (
    agrees,
    note,
    print_json,
    print_table,
    say,
    table,
    text,
    visible,
)
from comity.node.commands.options import open_node
from comity.node.database.clock import to_datetime
from comity.node.database.tables import WitnessedLogRow
from comity.node.witness.halting import resume_witnessing
from comity.node.witness.seen_logs import split_views, witnessed_logs
from comity.record.errors import Conflict, NotFound
from comity.record.log import origin
from comity.record.times import format_time

LogInstitute = Annotated[str, typer.Argument(metavar="INSTITUTE", help="The institute of the log.")]


def comity_node_witness_list(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the logs that this node has seen.

    The state of a log is "witnessed", or the reason why this node no longer cosigns it.

    Examples:
        comity-node witness list --json
    """
    with open_node(context) as node, node.store.read() as session:
        rows = witnessed_logs(session)
        values = [_value(row, len(split_views(session, row.institute))) for row in rows]

    if as_json:
        print_json(values)
        return

    grid = table("log", "leaves", "seen", "proofs against it", "state")
    for value in values:
        state = text(value["halted"], "red") if value["halted"] else text("witnessed")
        cells = (value["origin"], value["size"], value["witnessedTime"], value["splitViews"])
        grid.add_row(*(text(str(cell)) for cell in cells), state)
    print_table(grid, "No log yet: a peer's is seen once the node pulls from it.")


def comity_node_witness_resume(
    context: typer.Context,
    institutes: Annotated[
        list[str],
        typer.Argument(
            metavar="INSTITUTE...", help="The institutes of the logs.", show_default=False
        ),
    ],
    anew: Annotated[
        bool, typer.Option("--anew", help="Forget what was seen of the log: it has begun again.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Cosign halted logs again.

    Find out first what happened: a witness exists to prevent two histories under one key. The
    command shows why each log was halted and the proofs against it, and asks. It then clears the
    logs' alarms and keeps the evidence. The next checkpoint of a log must continue what was seen of
    it, unless --anew is given. A log that is not halted is refused, and so is this institute's own:
    comity-node log new begins another in its place.

    Examples:
        comity-node witness resume ca.aisi.example fr.aisi.example
        comity-node witness resume ca.aisi.example --anew    # it lost its log, as it told us
    """
    with open_node(context) as node:
        # a signature over other leaves than the lost ones is a lasting proof (invariant 8)
        if node.institute in institutes:
            hint = "look for a newer backup; without one, comity-node log new begins a new log"
            message = f"the log of {node.institute}, this institute's own, is never signed again"
            raise Conflict(f"{message} once it was halted", field="institute", hint=hint)
        # also with --yes, so that the reason can be read afterwards
        with node.store.read() as session:
            halted = [name for name in institutes if _describe_halted(session, name, anew=anew)]
        if halted and not (yes or agrees("Do you know what happened?")):
            hint = "find it out, then answer y or add --yes"
            raise Conflict("not confirmed; nothing was changed", hint=hint)

        # one transaction: a mistyped institute leaves every log halted as it was
        with node.store.write() as session:
            rows = [resume_witnessing(session, name, anew=anew) for name in institutes]
            values = [{"institute": row.institute, "size": row.size} for row in rows]
    if as_json:
        print_json(values)
        return
    for value in values:
        say(f"The log of {value['institute']} is witnessed again from {value['size']} leaves on.")


def comity_node_witness_export(
    context: typer.Context,
    institute: LogInstitute,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; must not exist.")],
    as_json: JsonOption = False,
) -> None:
    """Write the proof that a log contradicted itself.

    The proof is the first that was found. Anyone with the institute's bundle can check it offline
    with comity verify FILE.

    Examples:
        comity-node witness export ca.aisi.example ca.split-view.json
    """
    with open_node(context) as node, node.store.read() as session:
        found = split_views(session, institute)
    if not found:
        hint = "comity-node witness list shows the logs"
        message = f"no proof against the log of {institute!r:.100}"
        raise NotFound(message, field="institute", hint=hint)
    # one proof is enough: any two signed checkpoints that contradict each other convict
    write_file(file, found[0].evidence)

    if as_json:
        print_json({"institute": institute, "file": str(file), "digest": found[0].digest})
        return

    say(str(file))
    note(f"Check it with: comity verify {file}")


def _describe_halted(session: Session, institute: str, *, anew: bool) -> bool:
    """Say why an institute's logs are halted; False if none is, which resuming refuses."""
    rows = [row for row in witnessed_logs(session) if row.institute == institute and row.halted]
    for row in rows:
        note(f"log          {origin(institute, row.log_number)}")
        note(f"halted       {visible(row.halted)}")
        if anew:
            note(f"forgotten    that it had {row.size} leaves, with root {row.root}")
    for view in split_views(session, institute) if rows else ():
        note(f"proof        {view.digest}: comity-node witness export {institute} FILE")
    return bool(rows)


def _value(row: WitnessedLogRow, count: int) -> dict[str, Any]:
    seen = format_time(to_datetime(row.witnessed_time)) if row.witnessed_time else ""
    return {
        "institute": row.institute,
        "origin": origin(row.institute, row.log_number),
        "size": row.size,
        "root": row.root,
        "witnessedTime": seen,
        "halted": row.halted,
        "splitViews": count,
    }
