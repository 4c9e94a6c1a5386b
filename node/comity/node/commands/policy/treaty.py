"""Treaties: bilateral agreements, for each of which the policy's templates are linked."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import (
    note,
    print_fields,
    print_json,
    print_table,
    table,
    text,
    warn,
)
from comity.node.commands.options import open_node
from comity.node.database.clock import to_datetime
from comity.node.database.tables import TreatyRow
from comity.node.node import Node
from comity.node.policy.facts import UNNAMED
from comity.node.policy.treaties import list_treaties, over_time
from comity.node.policy.versions import policy_in_force
from comity.policies.treaty import Treaty
from comity.record.content import SECTION_MODELS
from comity.record.errors import InvalidInput, NotFound
from comity.record.kind import Kind
from comity.record.times import format_time

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")

TreatyId = Annotated[
    str, typer.Argument(metavar="ID", help="Your name for the treaty, which releases show.")
]
Parties = Annotated[
    list[str], typer.Option("--party", metavar="INSTITUTE", help="The other party: one peer.")
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        help=f"Only records of this kind, repeatable: {', '.join(Kind)}. All by default.",
    ),
]
Sections = Annotated[
    list[str] | None,
    typer.Option(
        "--section", metavar="NAME", help="Only this section, repeatable. All by default."
    ),
]


def comity_node_treaty_add(
    context: typer.Context,
    treaty_id: TreatyId,
    parties: Parties,
    start: Annotated[str, typer.Option(metavar="TIME", help="Start: a date or a time in UTC.")],
    end: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="End: a date or a time in UTC. None by default."),
    ] = None,
    kinds: Kinds = None,
    sections: Sections = None,
    as_json: JsonOption = False,
) -> None:
    r"""Add a treaty with a peer.

    The treaty is in force from its start until just before its end. It gives only what a rule with
    ?principal in your policy gives, as in the preset treaty. A date means 00:00 UTC.

    Examples:
        comity-node treaty add uk-ca-2026 --party ca.aisi.example --start 2026-01-01
        comity-node treaty add uk-jp-cbrn --party jp.aisi.example --kind evaluation \
            --kind model-card --section risks --start 2026-05-21T09:00:00Z --end 2027-01-01
    """
    # a list only to refuse it: of two --party the parser would drop one in silence
    if len(parties) > 1:
        hint = "add a treaty for each, with an id of its own"
        message = f"expected one party beside this institute, got {', '.join(parties)}"
        raise InvalidInput(message, field="--party", hint=hint)

    treaty = Treaty.parse(
        {
            "treatyId": treaty_id,
            "party": parties[0],
            "kinds": kinds or [],
            "sections": sections or [],
            "start": _time(start),
            "end": None if end is None else _time(end),
        }
    )

    with open_node(context) as node:
        row = _add(node, treaty)
        with node.store.read() as session:
            linked = policy_in_force(session).policy.has_templates
        _print(row, node.clock(), as_json=as_json)

    _warn_of_sections(treaty)
    # only a note: a policy that takes treaties may be set afterwards
    if not linked:
        note("note: the policy in force has no rule with ?principal, so no treaty bears on it")


def comity_node_treaty_list(context: typer.Context, as_json: JsonOption = False) -> None:
    """List all treaties, also those that have ended.

    Examples:
        comity-node treaty list --json
    """
    with open_node(context) as node, node.store.read() as session:
        now = node.clock()
        values = [_value(row, now) for row in list_treaties(session)]
    if as_json:
        print_json(values)
        return
    grid = table("treaty", "party", "state", "kinds", "sections", "from", "until")
    for value in values:
        grid.add_row(*map(text, _shown(value).values()))
    print_table(grid, "No treaty yet: comity-node treaty add keeps the first one.")


def comity_node_treaty_end(
    context: typer.Context, treaty_id: TreatyId, as_json: JsonOption = False
) -> None:
    """End a treaty now, before its time.

    Nothing more is released under it. What was released stays with the peer.

    Examples:
        comity-node treaty end uk-ca-2026
    """
    with open_node(context) as node:
        _print(node.end_treaty(treaty_id), node.clock(), as_json=as_json)


def _add(node: Node, treaty: Treaty) -> TreatyRow:
    try:
        return node.add_treaty(treaty)
    except NotFound as error:
        # what is a peer to the node is the party to whoever types this
        raise NotFound(error.message, field="treaty.party", hint=error.hint) from error


def _warn_of_sections(treaty: Treaty) -> None:
    """Warn of sections that no kind with content models has; other kinds may have any."""
    kinds = treaty.kinds or set(Kind)
    covered = [models for kind, models in SECTION_MODELS.items() if kind in kinds]
    if not covered:
        return

    known = dict.fromkeys(name for models in covered for name in models)
    for name in sorted(treaty.sections - {*known, UNNAMED}):
        line = (
            f"no known section has the name {name!r:.80}; known are {', '.join(known)}. "
            f"If it is a slip: comity-node treaty end {treaty.treaty_id}"
        )
        warn(line)


def _time(given: str) -> str:
    return f"{given}T00:00:00Z" if _DATE.fullmatch(given) else given


def _state(row: TreatyRow, now: int) -> str:
    over = over_time(row)
    if over is not None and over <= now:
        # ended before its start: no release can name it
        return "over" if row.start_time < over else "never in force"
    return "in force" if row.start_time <= now else "to come"


def _value(row: TreatyRow, now: int) -> dict[str, Any]:
    return {
        "treatyId": row.treaty_id,
        "party": row.party,
        "state": _state(row, now),
        "kinds": row.kinds,
        "sections": row.sections,
        "start": _format(row.start_time),
        "end": _format(row.end_time),
        "addedTime": _format(row.added_time),
        "endedTime": _format(row.ended_time),
    }


def _format(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else format_time(to_datetime(milliseconds))


def _shown(value: dict[str, Any]) -> dict[str, str]:
    ended = value["endedTime"]
    return {
        "treaty": value["treatyId"],
        "party": value["party"],
        "state": value["state"],
        "kinds": ", ".join(value["kinds"]) or "all",
        "sections": ", ".join(value["sections"]) or "all",
        "from": value["start"],
        "until": f"{ended}, ended" if ended else value["end"] or "-",
    }


def _print(row: TreatyRow, now: int, *, as_json: bool) -> None:
    value = _value(row, now)
    if as_json:
        print_json(value)
        return
    print_fields(_shown(value))
