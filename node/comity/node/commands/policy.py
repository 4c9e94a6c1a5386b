"""Policy: who is given what, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from comity.client.files import naming, read_file
from comity.client.terminal import err, examples, out, print_json, print_table, table, text
from comity.node import explain as explanation
from comity.node.clock import to_datetime
from comity.node.commands.workplace import Json, open_node
from comity.node.policy import PolicyInForce, policy_in_force
from comity.node.search import find_record
from comity.node.tables import HEADER
from comity.policies.evaluator import Policy
from comity.policies.preset import load_preset, preset_names
from comity.record.errors import BadPolicy, InvalidInput
from comity.record.limits import MAX_POLICY_BYTES
from comity.record.times import format_time

app = typer.Typer(
    help="Say who is given what, in Cedar, and see why.",
    no_args_is_help=True,
    epilog=examples(
        "comity-node policy set --preset balanced",
        "comity-node policy show > policy.cedar   # edit, then:",
        "comity-node policy check policy.cedar",
        "comity-node policy set policy.cedar",
    ),
)

File = Annotated[Path | None, typer.Argument(help="Policy in Cedar.")]
Preset = Annotated[
    str | None, typer.Option(metavar="NAME", help=f"One of {', '.join(preset_names())}.")
]


@app.command(epilog=examples("comity-node policy show > policy.cedar"))
def show(context: typer.Context, as_json: Json = False) -> None:
    """Print the policy in force. The baseline, which nobody can undo, is not repeated."""
    with open_node(context) as node, node.store.read() as session:
        in_force = policy_in_force(session)
    if as_json:
        print_json({"policy": in_force.policy.text, **_value(in_force)})
        return
    sys.stdout.write(in_force.policy.text)
    err.print(text(_sentence(in_force)), soft_wrap=True)


@app.command(
    name="set",
    epilog=examples(
        "comity-node policy set --preset balanced", "comity-node policy set policy.cedar"
    ),
)
def set_(
    context: typer.Context, file: File = None, preset: Preset = None, as_json: Json = False
) -> None:
    """Put a policy in force and release what it newly allows.

    What has been released cannot be taken back by a narrower policy.
    """
    policy = _read(file, preset)
    with open_node(context) as node:
        in_force = node.set_policy(policy.text)
    if as_json:
        print_json(_value(in_force))
    else:
        out.print(text(_sentence(in_force)), soft_wrap=True)


@app.command(epilog=examples("comity-node policy check policy.cedar"))
def check(file: File = None, preset: Preset = None, as_json: Json = False) -> None:
    """Check a policy against the schema, without putting it in force."""
    policy = _read(file, preset)
    if as_json:
        value = {"policyDigest": policy.digest, "dependsOnStanding": policy.depends_on_standing}
        print_json(value)
        return
    asks = "asks for standing" if policy.depends_on_standing else "does not ask for standing"
    out.print(text(f"valid, {asks}, digest {policy.digest}"), soft_wrap=True)


@app.command(epilog=examples("comity-node policy explain ca.aisi.example 9f86d081"))
def explain(
    context: typer.Context,
    peer: Annotated[str, typer.Argument(metavar="PEER", help="Institute id of the peer.")],
    record: Annotated[
        str, typer.Argument(metavar="RECORD", help="Record id, or 8 or more digits of it.")
    ],
    as_json: Json = False,
) -> None:
    """Tell what of a record a peer is given or refused, and by which rule.

    What was released under an earlier policy stays released, whatever holds now.
    """
    with open_node(context) as node, node.store.read() as session:
        row = find_record(session, record)
        parts = explanation.explain(session, peer, row, node.clock())
    if as_json:
        print_json({"recordId": row.record_id, "parts": [_part_value(part) for part in parts]})
        return
    grid = table("part", "now", "released", "why")
    for part in parts:
        value = _part_value(part)
        verdict = "given" if part.allowed else "withheld"
        name = "header" if part.section == HEADER else str(value["section"])
        grid.add_row(*map(text, (name, verdict, value["releaseTime"] or "-", part.message)))
    print_table(grid)


def _part_value(part: explanation.PartExplanation) -> dict[str, Any]:
    released = part.release_time
    return {
        "section": "" if part.section == HEADER else part.name or f"#{part.section}",
        "isHeader": part.section == HEADER,
        "allowed": part.allowed,
        "rules": list(part.rules),
        "message": part.message,
        "releaseTime": None if released is None else format_time(to_datetime(released)),
    }


def _read(file: Path | None, preset: str | None) -> Policy:
    if (file is None) == (preset is None):
        raise InvalidInput("expected either a file or --preset", field="FILE")
    if file is None:
        return Policy.parse(load_preset(preset or ""))
    data = read_file(file, "MAX_POLICY_BYTES", MAX_POLICY_BYTES)
    with naming(file):
        return Policy.parse(_decode(data))


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"expected UTF-8, got byte 0x{data[error.start]:02x} at offset {error.start}"
        raise BadPolicy(message) from error


def _value(in_force: PolicyInForce) -> dict[str, Any]:
    since = in_force.set_time
    return {
        "policyDigest": in_force.policy.digest,
        "version": in_force.version,
        "setTime": None if since is None else format_time(to_datetime(since)),
    }


def _sentence(in_force: PolicyInForce) -> str:
    if in_force.set_time is None:
        return "No policy has been set: nothing is given to anyone."
    since = format_time(to_datetime(in_force.set_time))
    return f"version {in_force.version}, in force since {since}, digest {in_force.policy.digest}"
