"""What came of a scenario: coverage, who gave whom, who gains, who rides free, who waits for whom.

A record is *withheld for standing* where the receiver does not have it, handling alone would let it
have it, and the giver's policy denies it now but would allow it to a receiver of better standing.
Invariant: this is found by asking the evaluator, never by reading the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic.alias_generators import to_camel

from comity.policies.facts import Standing
from comity.policies.nearest import MAX_AMOUNT
from comity.policies.simulation.network import Network
from comity.policies.simulation.tie import Line, Tie
from comity.record.content import Kind

FREE_RIDER_SHARE: Final = 4
"""A free rider gives, or would give if standing allowed, less than a quarter of what it gets or
would get."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one institute has in the end, in records unless it says otherwise.

    ``given`` and ``received`` count a record once for each pair of institutes; ``relayed`` is how
    many of those received another than the issuer brought first. ``missing`` is withheld from it
    for standing by others, ``held_back`` withheld by it. ``coverage`` is the share, 0 to 1, of the
    parts that handling alone would allow it and that it holds, None where there are none. ``gain``
    is received for each one issued, None where it issued none.
    """

    institute: str
    policy: str
    issued: int
    given: int
    received: int
    relayed: int
    missing: int
    held_back: int
    coverage: float | None
    gain: float | None
    free_rider: bool
    starved: bool


@dataclass(frozen=True, slots=True)
class Way:
    """How a deadlock ends: once ``giver`` gives ``records`` more of ``kind`` to ``receiver``."""

    giver: str
    receiver: str
    kind: Kind
    records: int


def _smallest(ways: Iterable[Way | None]) -> Way | None:
    return min((way for way in ways if way), key=lambda way: way.records, default=None)


@dataclass(frozen=True, slots=True)
class Withheld:
    """What ``giver`` withholds from ``receiver`` for standing, and by which ``rules``.

    ``since`` is the day on which the oldest such record became due. ``rules`` are those that forbid
    it or, where none does, those that would permit it. ``way_out`` is the smallest gift of one kind
    after which at least one record would be released.
    """

    giver: str
    receiver: str
    records: int
    since: int
    rules: tuple[str, ...]
    way_out: Way | None


@dataclass(frozen=True, slots=True)
class Deadlock:
    """Two that withhold from each other for standing, with no release between them since a day."""

    since: int
    sides: tuple[Withheld, Withheld]

    @property
    def way_out(self) -> Way | None:
        """The smallest gift that ends it; None where it takes more than one kind."""
        return _smallest(side.way_out for side in self.sides)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is told of a scenario.

    ``history`` is each day's coverage by institute, in the order of ``results``; ``mean`` that of
    the network as a whole. ``matrix[i][j]`` counts the records that the i-th institute issued and
    gave the j-th.
    """

    title: str
    days: int
    seed: int
    results: tuple[Result, ...]
    history: tuple[tuple[float | None, ...], ...]
    mean: tuple[float | None, ...]
    matrix: tuple[tuple[int, ...], ...]
    deadlocks: tuple[Deadlock, ...]

    def to_value(self) -> dict[str, Any]:
        """Return the JSON value, keys in camelCase."""
        value: dict[str, Any] = _camel(asdict(self))
        for found, deadlock in zip(value["deadlocks"], self.deadlocks, strict=True):
            way = deadlock.way_out
            found["wayOut"] = _camel(asdict(way)) if way else None
        return value


def report(network: Network) -> Outcome:
    """Sum up a network as it is after its last day."""
    names = list(network.institutes)
    withheld = {(w.giver, w.receiver): w for w in _withheld(network)}
    matrix = [[_given(network, giver, receiver) for receiver in names] for giver in names]
    return Outcome(
        title=network.scenario.title,
        days=network.day,
        seed=network.scenario.seed,
        results=tuple(_result(network, name, withheld, matrix) for name in names),
        history=tuple(tuple(_share(*day[name]) for name in names) for day in network.history),
        mean=tuple(_mean(list(day.values())) for day in network.history),
        matrix=tuple(map(tuple, matrix)),
        deadlocks=tuple(_deadlocks(network, withheld)),
    )


def _result(
    network: Network,
    name: str,
    withheld: dict[tuple[str, str], Withheld],
    matrix: list[list[int]],
) -> Result:
    place = list(network.institutes).index(name)
    given, direct = sum(matrix[place]), sum(row[place] for row in matrix)
    issued = sum(line.issued for line in network.lines[name])
    received = sum(parts[0] for parts in network.held[name].values())
    missing = sum(w.records for (_, receiver), w in withheld.items() if receiver == name)
    held_back = sum(w.records for (giver, _), w in withheld.items() if giver == name)
    takes = received + missing
    return Result(
        institute=name,
        policy=network.institutes[name].policy,
        issued=issued,
        given=given,
        received=received,
        relayed=max(received - direct, 0),
        missing=missing,
        held_back=held_back,
        coverage=_share(*network.history[-1][name]) if network.history else None,
        gain=received / issued if issued else None,
        free_rider=(given + held_back) * FREE_RIDER_SHARE < takes,
        starved=missing * 2 > takes,
    )


def _given(network: Network, giver: str, receiver: str) -> int:
    tie = network.ties.get((giver, receiver))
    if tie is None:
        return 0
    lines = (tie.delivered.get(line.number) for line in network.lines[giver])
    return sum(parts[0] for parts in lines if parts)


def _share(held: int, allowed: int) -> float | None:
    return held / allowed if allowed else None


def _mean(shares: list[tuple[int, int]]) -> float | None:
    held, allowed = map(sum, zip(*shares, strict=True))
    return _share(held, allowed)


# --- what is withheld for standing ---------------------------------------------------------------


def _withheld(network: Network) -> Iterator[Withheld]:
    for tie in network.ties.values():
        if not tie.verdicts.policy.depends_on_standing:
            continue
        held = network.held[tie.receiver]
        there = {
            line: max(_released(tie, line), held.get(line.number, [0])[0])
            for line in network.lines[tie.giver]
        }
        waiting = {line: n for line, n in there.items() if n < line.issued and _waits(tie, line)}
        if waiting:
            yield _sum_up(tie, waiting)


def _sum_up(tie: Tie, lines: dict[Line, int]) -> Withheld:
    """Sum up the lines that wait; of each, so many records are there already."""
    rules: dict[str, None] = {}
    for line in lines:
        rules |= dict.fromkeys(_deciding_rules(tie, line))
    return Withheld(
        giver=tie.giver,
        receiver=tie.receiver,
        records=sum(line.issued - there for line, there in lines.items()),
        since=min(line.day_of(there + 1) for line, there in lines.items()),
        rules=tuple(rules),
        way_out=_smallest(_way_out(tie, line) for line in lines),
    )


def _released(tie: Tie, line: Line) -> int:
    return tie.released.get(line.number, [0])[0]


def _waits(tie: Tie, line: Line) -> bool:
    if not tie.entitled(line)[0]:
        return False
    case = tie.cases(line)[0]
    if tie.verdicts.verdict(case, tie.standing).allowed:
        return False
    return tie.verdicts.verdict(case, _good(tie.standing)).allowed


def _good(standing: Standing) -> Standing:
    for kind in Kind:
        standing = standing.after_receiving(kind, MAX_AMOUNT)
    return standing


def _deciding_rules(tie: Tie, line: Line) -> tuple[str, ...]:
    case = tie.cases(line)[0]
    now = tie.verdicts.verdict(case, tie.standing)
    return now.rules or tie.verdicts.verdict(case, _good(tie.standing)).rules


def _way_out(tie: Tie, line: Line) -> Way | None:
    found = tie.verdicts.ways_out(tie.cases(line)[0], tie.standing)
    return Way(tie.receiver, tie.giver, found[0][1], found[0][0]) if found else None


def _deadlocks(network: Network, withheld: dict[tuple[str, str], Withheld]) -> Iterator[Deadlock]:
    for (one, other), side in withheld.items():
        if one > other or (other, one) not in withheld:
            continue
        back = withheld[other, one]
        released = max(network.ties[pair].last_release for pair in ((one, other), (other, one)))
        since = max(side.since, back.since, released + 1)
        if network.day - since + 1 >= network.scenario.deadlock_days:
            yield Deadlock(since, (side, back))


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {to_camel(key): _camel(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_camel(item) for item in value]
    return value
