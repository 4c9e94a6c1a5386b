"""``policy explain``: what a peer is given or refused, why, and what would change that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import (
    note,
    print_json,
    print_table,
    table,
    text,
)
from comity.node.commands.options import open_node
from comity.node.database.clock import to_datetime
from comity.node.database.tables import HEADER
from comity.node.node import Node
from comity.node.policy.standing.rule import SUBSTANCE_CHARS
from comity.node.records.search import find_record
from comity.node.release import explanation
from comity.node.release.explanation import MAX_EXPLAINED, ClassExplanation, PartExplanation
from comity.policies.facts import PartFacts
from comity.record.errors import InvalidInput
from comity.record.kind import Kind
from comity.record.severity import Severity
from comity.record.times import format_time

_HANDLINGS: Final = 3
"""Handlings that a row of the table tells, of classes that are decided alike."""

_MORE: Final = re.compile(r"\bafter \d+ more\b")


def comity_node_policy_explain(
    context: typer.Context,
    peer: Annotated[str, typer.Argument(metavar="PEER", help="Institute id of the peer.")],
    record: Annotated[
        str | None,
        typer.Argument(metavar="[RECORD]", help="Record id, or 8 or more digits of it."),
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option(help="Explain all records of this kind instead of one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Explain what a peer is given or refused, and why.

    The table names the deciding rule of each part, and the nearest change that would release a part
    that is withheld. With --kind, parts that are decided alike for one reason share a row. A part
    that was released under an earlier policy stays released.

    Examples:
        comity-node policy explain ca.aisi.example 9f86d081
        comity-node policy explain ca.aisi.example --kind evaluation
    """
    if (record is None) == (kind is None):
        raise InvalidInput("expected either a record or --kind", field="RECORD")
    with open_node(context) as node:
        # a rule may ask for standing, which must be that of this moment
        node.update_standing()
        if kind is not None:
            _explain_kind(node, peer, kind, as_json=as_json)
        else:
            _explain_record(node, peer, record or "", as_json=as_json)


def _explain_record(node: Node, peer: str, record: str, *, as_json: bool) -> None:
    with node.store.read() as session:
        row = find_record(session, record)
        # release, preview and this all call decisions.evaluate_classes, so that they agree
        parts = explanation.explain_record(session, peer, row, node.clock())

    if as_json:
        print_json({"recordId": row.record_id, "parts": [_part_value(part) for part in parts]})
        return

    grid = table("part", "now", "released", "why", "nearest change")
    for part in parts:
        value = _part_value(part)
        verdict = "given" if part.allowed else "withheld"
        name = "(header)" if part.section == HEADER else str(value["section"])
        cells = (name, verdict, value["releaseTime"] or "-", part.message, _ways(part.nearest))
        grid.add_row(*map(text, cells))
    print_table(grid)
    _note_what_counts(part.nearest for part in parts)


def _explain_kind(node: Node, peer: str, kind: Kind, *, as_json: bool) -> None:
    with node.store.read() as session:
        found = explanation.explain_kind(session, peer, kind, node.clock())

    if as_json:
        print_json({"kind": kind.value, "classes": [_class_value(one) for one in found]})
        return

    grid = table("part", "handling", "given", "waits", "now", "why", "nearest change")
    for alike in _alike(found):
        one = alike[0]
        verdict = "given" if one.decision.allowed else "withheld"
        counts = (str(sum(each.tally.given for each in alike)), _waiting(alike))
        handling = _handlings(alike)
        cells = (one.facts.section or "(header)", handling, *counts, verdict)
        grid.add_row(*map(text, (*cells, one.decision.message, _ways(one.nearest))))
    print_table(grid)
    note("given and waits count parts: the headers of records, and their sections", "dim")
    _note_what_counts(one.nearest or () for one in found)
    # the search for the nearest change is bounded (invariant 10), which is told
    if any(one.nearest is None for one in found):
        told = (
            f"note: nearest changes are looked for in {MAX_EXPLAINED} groups, the largest; of a "
            "record in another, ask by its id instead of --kind"
        )
        note(told)


def _alike(found: Iterable[ClassExplanation]) -> list[list[ClassExplanation]]:
    """Return the groups of classes of one part whose decision, reason and ways out are the same."""
    groups: dict[tuple[object, ...], list[ClassExplanation]] = {}
    for one in found:
        key = (one.facts.section, one.decision.allowed, one.decision.message, one.nearest)
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def _note_what_counts(nearest: Iterable[tuple[str, ...]]) -> None:
    if any(_MORE.search(way) for ways in nearest for way in ways):
        told = (
            'note: "more" are records about subjects, such as models, that do not count yet, '
            f"each with {SUBSTANCE_CHARS} characters of disclosed text or more"
        )
        note(told)


def _part_value(part: PartExplanation) -> dict[str, Any]:
    return {
        "section": "" if part.section == HEADER else part.name or f"#{part.section}",
        "isHeader": part.section == HEADER,
        "allowed": part.allowed,
        "rules": list(part.rules),
        "message": part.message,
        "releaseTime": _format(part.release_time),
        "nearest": list(part.nearest),
    }


def _class_value(one: ClassExplanation) -> dict[str, Any]:
    return {
        "part": json.loads(one.facts.to_json()),
        "given": one.tally.given,
        "due": one.tally.due,
        "underEmbargo": one.tally.embargoed,
        "embargoTime": _format(one.tally.embargo_time),
        "allowed": one.decision.allowed,
        "rules": list(one.decision.rules),
        "message": one.decision.message,
        "nearest": None if one.nearest is None else list(one.nearest),
    }


def _waiting(alike: Sequence[ClassExplanation]) -> str:
    due = sum(one.tally.due for one in alike)
    embargoed = sum(one.tally.embargoed for one in alike)
    ends = [one.tally.embargo_time for one in alike if one.tally.embargo_time is not None]
    if not embargoed:
        return str(due)
    return f"{due}, {embargoed} under embargo, the first until {_format(min(ends))}"


def _handlings(alike: Sequence[ClassExplanation]) -> str:
    """Return the handling of the first classes of a group; --json has that of each."""
    told = list(dict.fromkeys(_handling(one.facts) for one in alike))
    more = f"; and {len(told) - _HANDLINGS} more" if len(told) > _HANDLINGS else ""
    return "; or ".join(told[:_HANDLINGS]) + more


def _handling(facts: PartFacts) -> str:
    said = [f"of {facts.issuer}" if not facts.own else "", f"TLP:{facts.tlp.value}"]
    if facts.releasable_to is not None:
        said.append(f"to {', '.join(sorted(facts.releasable_to)) or 'nobody'}")
    said += [f"for {word}" for word in sorted(facts.purposes)]
    said += sorted(facts.tags | facts.domains)
    if facts.severity:
        said.append(next(s.value for s in Severity if s.rank == facts.severity))
    return ", ".join(filter(None, said))


def _ways(nearest: tuple[str, ...] | None) -> str:
    return "not looked for" if nearest is None else "; or ".join(nearest) or "-"


def _format(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else format_time(to_datetime(milliseconds))
