"""The versions of the policy: print, put in force, list."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from comity.client.command_line import JsonOption
from comity.client.files import naming, read_file
from comity.client.terminal import (
    note,
    print_json,
    print_table,
    say,
    table,
    text,
)
from comity.node.commands.options import open_node
from comity.node.database.clock import to_datetime
from comity.node.database.tables import PolicyVersionRow
from comity.node.policy.versions import (
    PolicyChange,
    PolicyInForce,
    find_version,
    policy_in_force,
    policy_log,
    policy_title,
)
from comity.policies.analysis.findings import analyse
from comity.policies.cedar.source import decode
from comity.policies.evaluator import Policy
from comity.policies.preset import load_preset, preset_names
from comity.record.errors import InvalidInput
from comity.record.limits import MAX_POLICY_BYTES
from comity.record.times import format_time

File = Annotated[Path | None, typer.Argument(help="Policy in Cedar.")]
Preset = Annotated[
    str | None, typer.Option(metavar="NAME", help=f"One of {', '.join(preset_names())}.")
]


def comity_node_policy_show(
    context: typer.Context,
    version: Annotated[
        int | None, typer.Option(metavar="N", help="A former version; policy log lists them.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the policy in force.

    The baseline, which no policy can undo, is not printed.

    Examples:
        comity-node policy show > policy.cedar
    """
    with open_node(context) as node, node.store.read() as session:
        shown = policy_in_force(session)
        # the version in force is no former one, also if its number is given
        if version is not None and version != shown.version:
            _show_former(find_version(session, version), as_json=as_json)
            return
    if as_json:
        print_json({"policy": shown.policy.text, **_value(shown)})
        return
    # the text as it was set, so that a file of it has the same digest
    sys.stdout.write(shown.policy.text)
    note(_sentence(shown))


def comity_node_policy_set(
    context: typer.Context, file: File = None, preset: Preset = None, as_json: JsonOption = False
) -> None:
    """Put a policy in force and release what it newly allows.

    A narrower policy cannot take back what has been released. Rules that do nothing, or can fail,
    are only warnings. The command prints their number, and policy check shows them.

    Examples:
        comity-node policy set --preset balanced
        comity-node policy set policy.cedar
    """
    policy = read_file_or_preset(file, preset)
    with open_node(context) as node:
        # releases what it newly allows too (ARCHITECTURE.md, The way of a policy change, step 4)
        in_force = node.set_policy(policy.text, preset or (file.name if file else ""))
    _warn(policy)
    if as_json:
        print_json(_value(in_force))
    else:
        say(_sentence(in_force))


def comity_node_policy_log(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the versions of the policy, and what each changed.

    The newest version comes first. A release names the digest and the rules of the policy that
    allowed it.

    Examples:
        comity-node policy log
        comity-node policy show --version 3
    """
    with open_node(context) as node, node.store.read() as session:
        changes = policy_log(session)

    if as_json:
        print_json([_change_value(change) for change in changes])
        return

    grid = table("version", "name", "digest", "in force since", "what changed")
    for change in changes:
        row = change.version
        since = format_time(to_datetime(row.set_time))
        what = _change_sentence(change)
        grid.add_row(*map(text, (str(row.version), row.name, row.digest, since, what)))
    print_table(grid)
    if not changes:
        note("No policy has been set: nothing is given to anyone.")


def read_file_or_preset(file: Path | None, preset: str | None) -> Policy:
    """Return the policy that either a file or a preset's name stands for.

    Raises:
        InvalidInput: both or neither are given.
        BadPolicy, LimitExceeded, BadConfig: see ``Policy.parse``; names the file.
        NotFound: no preset of that name.
    """
    if (file is None) == (preset is None):
        raise InvalidInput("expected either a file or --preset", field="FILE")
    if file is None:
        return Policy.parse(load_preset(preset or ""))
    data = read_file(file, MAX_POLICY_BYTES)
    with naming(file):
        return Policy.parse(decode(data))


def _warn(policy: Policy) -> None:
    if policy.gives_nothing:
        note("note: it has no permit, so nothing is given to anyone")
    count = len(analyse(policy))
    if count:
        warnings = "1 warning" if count == 1 else f"{count} warnings"
        note(f"note: {warnings} about this policy; comity-node policy check shows which")


def _show_former(row: PolicyVersionRow, *, as_json: bool) -> None:
    if as_json:
        print_json({"policy": row.text, **_version_value(row)})
        return
    sys.stdout.write(row.text)
    since = format_time(to_datetime(row.set_time))
    called = policy_title(row.name, row.version)
    said = f"{called}, put in force {since}, replaced since, digest {row.digest}"
    note(said)


def _version_value(row: PolicyVersionRow) -> dict[str, Any]:
    since = format_time(to_datetime(row.set_time))
    return {
        "policyDigest": row.digest,
        "version": row.version,
        "policyName": row.name,
        "setTime": since,
    }


def _change_value(change: PolicyChange) -> dict[str, Any]:
    ids = {"added": change.added, "removed": change.removed, "changed": change.changed}
    return _version_value(change.version) | {name: list(rules) for name, rules in ids.items()}


def _change_sentence(change: PolicyChange) -> str:
    # by rule: two texts that differ in comments alone decide alike
    ids = {"added": change.added, "removed": change.removed, "changed": change.changed}
    said = [f"{name} {', '.join(rules)}" for name, rules in ids.items() if rules]
    return "; ".join(said) or "no rule: only order, comments or layout"


def _value(in_force: PolicyInForce) -> dict[str, Any]:
    since = in_force.set_time
    return {
        "policyDigest": in_force.policy.digest,
        "version": in_force.version,
        "policyName": in_force.name,
        "setTime": None if since is None else format_time(to_datetime(since)),
    }


def _sentence(in_force: PolicyInForce) -> str:
    if in_force.set_time is None:
        return "No policy has been set: nothing is given to anyone."
    since = format_time(to_datetime(in_force.set_time))
    return f"{in_force.title}, in force since {since}, digest {in_force.policy.digest}"
