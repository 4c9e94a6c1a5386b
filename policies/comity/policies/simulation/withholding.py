"""Who withholds what from whom for its standing, which pairs wait for each other, and ways out.

A record is *withheld for standing* where the receiver does not have it, handling alone would let it
have it, and the giver's policy denies it now but would allow it to a receiver of better standing.
Invariant: this is found by asking the evaluator, never by reading the policy; a way out is never
more than its giver withholds itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from comity.policies.facts import Standing
from comity.policies.simulation.network import Network
from comity.policies.simulation.pair import Line, Tie
from comity.policies.ways.nearest import MAX_AMOUNT
from comity.record.content import Kind

Pair = tuple[str, str]
"""Giver and receiver."""

Waiting = dict[Line, int]
"""Lines of which records are withheld, and how many of each are there already."""


@dataclass(frozen=True, slots=True)
class Gift:
    """Once ``giver`` gives ``records`` more of ``kind``, ``receiver`` releases ``releases``.

    ``available`` is how many of the kind the giver withholds from the receiver, None where that is
    not known.
    """

    giver: str
    receiver: str
    kind: Kind
    records: int
    releases: int
    available: int | None


@dataclass(frozen=True, slots=True)
class Withheld:
    """What ``giver`` withholds from ``receiver`` for standing, and by which ``rules``.

    ``since`` is the day on which the oldest such record became due. ``rules`` are those that forbid
    it or, where none does, those that would permit it. ``way_out`` is the smallest gift of one kind
    after which records would be released; where the receiver does not withhold enough of any such
    kind, ``out_of_reach`` is what it would take. Both are None where it takes more than one kind.
    """

    giver: str
    receiver: str
    kinds: tuple[Kind, ...]
    records: int
    since: int
    rules: tuple[str, ...]
    way_out: Gift | None
    out_of_reach: Gift | None


@dataclass(frozen=True, slots=True)
class Deadlock:
    """Two that withhold from each other for standing, each some kind that has not moved since."""

    since: int
    sides: tuple[Withheld, Withheld]

    @property
    def way_out(self) -> Gift | None:
        """The smallest gift after which either of them gives."""
        return _smallest(side.way_out for side in self.sides if side.way_out)


class Withholding:
    """All that is withheld for standing in a network as it is after its last day.

    ``incomplete`` are institutes of which it is not known what others have for them.
    """

    def __init__(self, network: Network, incomplete: Collection[str] = ()) -> None:
        self._network, self._incomplete = network, incomplete
        found = ((pair, _waiting(network, tie)) for pair, tie in network.ties.items())
        self._waiting = {pair: lines for pair, lines in found if lines}

    def withheld(self) -> dict[Pair, Withheld]:
        """Return what is withheld, by giver and receiver."""
        return {pair: self._sum_up(pair, lines) for pair, lines in self._waiting.items()}

    def deadlocks(self) -> Iterator[Deadlock]:
        """Yield the pairs in deadlock.

        A kind that moves, or whatever others pass on, does not free what stands still beside it.
        """
        for one, other in self._waiting:
            if one > other or (other, one) not in self._waiting:
                continue
            there, back = self._stuck((one, other)), self._stuck((other, one))
            if there and back:
                since = max(min(there.values()), min(back.values()))
                sides = self._side((one, other), there), self._side((other, one), back)
                yield Deadlock(since, sides)

    def _side(self, pair: Pair, stuck: Collection[Kind]) -> Withheld:
        lines = {line: there for line, there in self._waiting[pair].items() if line.kind in stuck}
        return self._sum_up(pair, lines)

    def _stuck(self, pair: Pair) -> dict[Kind, int]:
        """Return the kinds that have stood still for long enough, and since which day."""
        lines, last = self._waiting[pair], self._network.ties[pair].last_release
        days: dict[Kind, int] = {}
        for line, there in lines.items():
            due = line.day_of(there + 1)
            days[line.kind] = min(days.get(line.kind, due), due)
        days = {kind: max(due, last.get(kind, 0) + 1) for kind, due in days.items()}
        latest = self._network.day + 1 - self._network.scenario.deadlock_days
        return {kind: day for kind, day in days.items() if day <= latest}

    def _sum_up(self, pair: Pair, lines: Waiting) -> Withheld:
        tie = self._network.ties[pair]
        rules: dict[str, None] = {}
        for line in lines:
            rules |= dict.fromkeys(_deciding_rules(tie, line))
        ways = list(self._ways(tie, lines))
        within = _smallest(
            way for way in ways if way.available is None or way.records <= way.available
        )
        return Withheld(
            giver=tie.giver,
            receiver=tie.receiver,
            kinds=tuple(sorted({line.kind for line in lines})),
            records=_count(lines),
            since=min(line.day_of(there + 1) for line, there in lines.items()),
            rules=tuple(rules),
            way_out=within,
            out_of_reach=None if within else _smallest(ways),
        )

    def _ways(self, tie: Tie, lines: Waiting) -> Iterator[Gift]:
        found = (tie.decisions.ways_out(tie.cases(line)[0], tie.standing) for line in lines)
        for records, kind in {way for ways in found for way in ways}:
            releases = _released_after(tie, lines, kind, records)
            available = self._available((tie.receiver, tie.giver), kind)
            yield Gift(tie.receiver, tie.giver, kind, records, releases, available)

    def _available(self, pair: Pair, kind: Kind) -> int | None:
        """Return how many records of a kind that would count are withheld."""
        if pair[1] in self._incomplete:
            return None
        waiting = self._waiting.get(pair, {})
        lines = ((line, there) for line, there in waiting.items() if line.kind is kind)
        return sum(self._network.ties[pair].usable(line, there) for line, there in lines)


def _count(lines: Waiting) -> int:
    return sum(line.ready[0] - there for line, there in lines.items())


def _smallest(ways: Iterable[Gift]) -> Gift | None:
    return min(ways, key=lambda way: (way.records, -way.releases, way.kind), default=None)


def _waiting(network: Network, tie: Tie) -> Waiting:
    if not tie.decisions.policy.depends_on_standing:
        return {}
    held = network.held[tie.receiver]
    there = {
        line: max(tie.released.get(line.number, [0])[0], held.get(line.number, [0])[0])
        for line in network.lines[tie.giver]
    }
    return {line: n for line, n in there.items() if n < line.ready[0] and _waits(tie, line)}


def _waits(tie: Tie, line: Line) -> bool:
    if not tie.entitled(line)[0]:
        return False
    case = tie.cases(line)[0]
    if tie.decisions.decision(case, tie.standing).allowed:
        return False
    return tie.decisions.decision(case, _good(tie.standing)).allowed


def _good(standing: Standing) -> Standing:
    for kind in Kind:
        standing = standing.after_receiving(kind, MAX_AMOUNT)
    return standing


def _deciding_rules(tie: Tie, line: Line) -> tuple[str, ...]:
    case = tie.cases(line)[0]
    now = tie.decisions.decision(case, tie.standing)
    return now.rules or tie.decisions.decision(case, _good(tie.standing)).rules


def _released_after(tie: Tie, lines: Waiting, kind: Kind, records: int) -> int:
    """Return how many of the records that wait a gift would release at once."""
    standing, released = tie.standing.after_receiving(kind, records), 0
    for line, there in lines.items():
        new, used = tie.grant(line, standing, there)
        standing = standing.after_giving(line.kind, used)
        released += new
    return released
