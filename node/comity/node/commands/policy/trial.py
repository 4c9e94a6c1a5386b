"""A policy on trial, before it is in force: ``policy check``, ``test`` and ``diff``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import Progress

from comity.client.command_line import JsonOption
from comity.client.files import naming
from comity.client.terminal import (
    err,
    print_json,
    print_table,
    say,
    table,
    text,
    warn,
)
from comity.node.commands.options import open_node
from comity.node.commands.policy.versions import File, Preset, read_file_or_preset
from comity.node.node import Node
from comity.node.policy.versions import policy_at, with_treaties
from comity.node.release.preview import ChangedParts, Effect, preview_peer
from comity.node.trust.peers import pinned_peers
from comity.policies.analysis.findings import RuleFinding, analyse
from comity.policies.cases import CaseOutcome, read_cases, read_policy
from comity.policies.evaluator import Policy

FAILED: Final = 1

Differences = Mapping[str, list[ChangedParts]]


def comity_node_policy_check(
    file: File = None, preset: Preset = None, as_json: JsonOption = False
) -> None:
    """Check a policy for errors, and rules that do nothing.

    Nothing is changed. The exit code is 1 if the policy cannot be put in force. A warning names a
    rule that can never match, that other rules make moot, or that fails at large counts.

    Examples:
        comity-node policy check policy.cedar
    """
    # this is the check for errors: it raises BadPolicy, for which the exit code is 1
    policy = read_file_or_preset(file, preset)
    findings = analyse(policy)

    if as_json:
        print_json(
            {
                "policyDigest": policy.digest,
                "dependsOnStanding": policy.depends_on_standing,
                "takesTreaties": policy.has_templates,
                "givesNothing": policy.gives_nothing,
                "warnings": [_finding_value(finding) for finding in findings],
            }
        )
        return

    asks = "asks for standing" if policy.depends_on_standing else "does not ask for standing"
    gives = ", gives nothing to anyone" if policy.gives_nothing else ""
    say(f"valid, {asks}{gives}, digest {policy.digest}")
    for finding in findings:
        line = f"line {finding.line}: {finding.sentence}"
        say(text("warning: ", "bold yellow") + text(line))


def comity_node_policy_test(
    folder: Annotated[
        Path, typer.Argument(help="Holds policy.cedar, allow/*.json and deny/*.json.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Run the cases of a folder against its policy.

    The exit code is 1 if a case fails. A case names a peer, a part, the treaties in force, and the
    rules that must decide. A case or a folder in any other place is an error. The presets are such
    folders.

    Examples:
        comity-node policy test policies/ours
    """
    with naming(folder):
        policy, cases = read_policy(folder), read_cases(folder)
    outcomes = [case.run(policy) for case in cases]
    failed = sum(not outcome.passed for outcome in outcomes)

    if as_json:
        print_json({"cases": [_case_value(outcome) for outcome in outcomes], "failed": failed})
    else:
        for outcome in outcomes:
            verdict = text("pass  ", "green") if outcome.passed else text("FAIL  ", "bold red")
            said = outcome.case.name if outcome.passed else outcome.message
            effect = "allow" if outcome.case.allowed else "deny"
            say(verdict + text(f"{effect:<6}{said}"))
        allow = sum(case.allowed for case in cases)
        of_each = f"{allow} allow, {len(cases) - allow} deny"
        say(f"{len(cases)} cases ({of_each}), {failed} failed")
    # in the end, so that a pipeline's log shows every case
    if failed:
        raise typer.Exit(FAILED)


def comity_node_policy_diff(
    context: typer.Context, file: File = None, preset: Preset = None, as_json: JsonOption = False
) -> None:
    """Show what a policy would change for each peer.

    The policy is not put in force. The table counts the parts, and the records among them, that a
    peer would get, or would no longer get. "Later" counts parts that wait for the end of an embargo
    or for a better standing.

    Examples:
        comity-node policy diff policy.cedar
        comity-node policy diff --preset balanced --json
    """
    other = read_file_or_preset(file, preset)
    with open_node(context) as node:
        # either policy may ask for standing, which must be that of this moment
        node.update_standing()
        found = _differences(node, other)
    if as_json:
        print_json([_peer_value(peer, differences) for peer, differences in found.items()])
        return
    _print_differences(found)
    _warn(found)


def _differences(node: Node, other: Policy) -> Differences:
    with (
        # one snapshot for all peers, without the write lock: a running node goes on meanwhile
        node.store.read() as session,
        Progress(console=err, transient=True, disable=not err.is_terminal) as progress,
    ):
        now = node.clock()
        policy, linked = policy_at(session, now), with_treaties(session, other, now)
        peers = progress.track(pinned_peers(session), description="Deciding")
        return {row.institute: preview_peer(session, row, policy, linked, now) for row in peers}


def _print_differences(found: Differences) -> None:
    grid = table("peer", "kind", "change", "parts", "records", "later", "why", "until now")

    for peer, differences in found.items():
        for one in differences:
            # what a peer holds cannot be taken back: that is a warning and no change
            if one.effect is not Effect.GONE:
                counts = map(str, (one.parts, one.records, one.later))
                until_now = ", ".join(one.before.rules) or "no rule"
                cells = (peer, one.kind, one.effect, *counts, one.decision.message, until_now)
                grid.add_row(*map(text, cells))

    if grid.row_count:
        print_table(grid)
    else:
        say("No peer would gain anything, or be withheld what it is to get.")


def _warn(found: Differences) -> None:
    for peer, differences in found.items():
        for one in differences:
            if one.effect is Effect.GONE:
                count = f"{one.parts} parts ({one.records} records) of kind {one.kind}"
                said = f"{count} are with {peer} already and cannot be taken back"
                line = f"{said}: {one.decision.message}"
                warn(line)


def _peer_value(peer: str, differences: list[ChangedParts]) -> dict[str, Any]:
    return {"peer": peer, "differences": [_difference_value(one) for one in differences]}


def _difference_value(one: ChangedParts) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "change": one.effect.value,
        "parts": one.parts,
        "records": one.records,
        "later": one.later,
        "rules": list(one.decision.rules),
        "message": one.decision.message,
        "before": {"rules": list(one.before.rules), "message": one.before.message},
    }


def _case_value(outcome: CaseOutcome) -> dict[str, Any]:
    case, decision = outcome.case, outcome.decision
    return {
        "name": case.name,
        "passed": outcome.passed,
        "expected": {"allowed": case.allowed, "rules": list(case.rules)},
        "got": {
            "allowed": decision.allowed,
            "rules": list(decision.rules),
            "message": decision.message,
        },
    }


def _finding_value(finding: RuleFinding) -> dict[str, Any]:
    return {
        "rule": finding.rule_id,
        "line": finding.line,
        "problem": finding.problem.value,
        "by": list(finding.rules),
        "certain": finding.certain,
        "message": finding.sentence,
    }
