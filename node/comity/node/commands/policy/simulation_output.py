"""What came of a simulation, in words: a table, who lacks what, and who waits for whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Final

from comity.client.terminal import print_table, print_text, table, text
from comity.policies.simulation.institute_groups import id_stem
from comity.policies.simulation.report import InstituteResult, SimulationOutcome
from comity.policies.simulation.withholding import Deadlock, Gift, Withheld

MAX_TABLE_ROWS: Final = 30
"""Institutes in the table, those of least coverage; JSON has them all."""

MAX_DEADLOCKS: Final = 10
MAX_LACKING: Final = 10

MAX_GIVERS: Final = 3
"""Who withholds most from one institute; JSON has them all."""


def print_outcome(outcome: SimulationOutcome, note: str) -> None:
    """Print an outcome as a table and sentences; ``note`` says what it was made from."""
    title = f"{outcome.title}: " if outcome.title else ""
    issued = sum(result.issued for result in outcome.results)
    count = len(outcome.results)
    print_text(text(f"{title}{count} institutes, {issued} records, {outcome.days} days"))

    columns = ("institute", "policy", "issued", "given", "received", "gain", "coverage", "lacks")
    grid = table(*columns, "")
    for column in grid.columns[2:-1]:
        column.justify = "right"

    rows = outcome.results
    if count > MAX_TABLE_ROWS:
        # those that get least are the ones to look at before the policy is set
        rows = tuple(sorted(rows, key=_coverage)[:MAX_TABLE_ROWS])
    for result in rows:
        grid.add_row(*map(text, _row(result)))
    # an id broken over two lines could not be copied
    grid.columns[0].no_wrap = True
    print_table(grid)

    if count > MAX_TABLE_ROWS:
        print_text(
            text(f"and {count - MAX_TABLE_ROWS} more of higher coverage; --json has them all")
        )

    _print_lacking(outcome)
    _print_deadlocks(outcome.deadlocks)
    print_text(text(f"{_LEGEND}. {note}", "dim"))


_LEGEND: Final = (
    "gain: received for each one issued; "
    "coverage: parts held, of those that handling alone would allow; "
    "lacks: withheld by others for its standing; "
    "free rider: gives, or would give, less than a quarter of what it gets or lacks; "
    "starved: lacks more than half of that"
)


def _row(result: InstituteResult) -> tuple[str, ...]:
    remarks = [word for word in ("free rider", "starved") if _applies(result, word)]

    return (
        result.institute,
        result.policy,
        str(result.issued),
        str(result.given),
        str(result.received),
        "-" if result.gain is None else f"{result.gain:.1f}",
        "-" if result.coverage is None else f"{result.coverage:.0%}",
        "-" if result.missing is None else str(result.missing),
        ", ".join(remarks),
    )


def _applies(result: InstituteResult, word: str) -> bool:
    return result.free_rider if word == "free rider" else result.starved


def _coverage(result: InstituteResult) -> float:
    # last, since unknown coverage is no finding
    return 1.0 if result.coverage is None else result.coverage


def _print_lacking(outcome: SimulationOutcome) -> None:
    """Say of those that lack most who withholds it, those that are alike together."""
    lacking = {r.institute: r.missing for r in outcome.results if r.missing}
    for institute in sorted(lacking, key=lambda name: -lacking[name])[:MAX_LACKING]:
        by: Counter[str] = Counter()
        for side in outcome.withheld:
            if side.receiver == institute:
                # institutes of a crowd differ in a number alone and are told as one
                by[id_stem(side.giver)] += side.records
        whose = ", ".join(f"{stem} ({count})" for stem, count in by.most_common(MAX_GIVERS))
        more = ", and others" if len(by) > MAX_GIVERS else ""
        print_text(text(f"{institute} lacks {lacking[institute]}, withheld by {whose}{more}"))
    if len(lacking) > MAX_LACKING:
        print_text(text(f"and {len(lacking) - MAX_LACKING} more lack less; --json has them all"))


def _print_deadlocks(deadlocks: tuple[Deadlock, ...]) -> None:
    if not deadlocks:
        print_text(text("no deadlock: no two withhold from each other for standing for long"))

    # pairs that differ in their names alone are one sentence
    alike: dict[Hashable, list[Deadlock]] = {}
    for deadlock in deadlocks:
        alike.setdefault(_likeness(deadlock), []).append(deadlock)

    for some in list(alike.values())[:MAX_DEADLOCKS]:
        more = len(some) - 1
        stems = " and ".join(sorted({id_stem(side.giver) for side in some[0].sides}))
        rest = f"; so do {more} more pairs of {stems}" if more else ""
        print_text(text(_sentence(some[0]) + rest))

    left = len(alike) - MAX_DEADLOCKS
    if left > 0:
        print_text(text(f"and {left} more sorts of deadlock; --json has them all"))


def _likeness(deadlock: Deadlock) -> Hashable:
    return frozenset((id_stem(side.giver), side.kinds, side.rules) for side in deadlock.sides)


def _sentence(deadlock: Deadlock) -> str:
    one, other = deadlock.sides
    rules = ", ".join(dict.fromkeys((*one.rules, *other.rules)))
    told = (
        f"deadlock since day {deadlock.since}: {one.giver} ({one.records} withheld) and "
        f"{other.giver} ({other.records}) wait for each other, by {rules}"
    )
    return "; ".join((told, *map(_way, deadlock.sides)))


def _way(side: Withheld) -> str:
    if side.way_out:
        releases = f"would release {side.way_out.releases} of the {side.records}"
        return f"{_gift(side.way_out)} {releases} that {side.giver} withholds"
    way = side.out_of_reach
    if way is None:
        return f"no gift of one kind moves {side.giver}"
    has = f"only {way.available}" if way.available else "none"
    return f"{side.giver} asks for {_gift(way)}, which has {has} to give"


def _gift(way: Gift) -> str:
    return f"{way.records} more of kind {way.kind} from {way.giver}"
