"""Records withheld for standing, pairs of institutes that wait for each other, and ways out.

A record is *withheld for standing* if the receiver does not have it, handling alone would allow it,
and the giver's policy denies it now but would allow it to a receiver of better standing.
Invariants: this is found by asking the evaluator and never by reading the policy; a way out never
asks for more records than its giver withholds itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from comity.policies.facts import Standing
from comity.policies.simulation.network import Network
from comity.policies.simulation.pair import Line, Pair
from comity.policies.ways.nearest import MAX_AMOUNT
from comity.record.kind import Kind

Ends = tuple[str, str]
"""Ids of giver and receiver."""

Waiting = dict[Line, int]
"""Lines with records withheld, and how many records of each the receiver has already."""


@dataclass(frozen=True, slots=True)
class Gift:
    """A gift: once ``giver`` gives ``records`` more of ``kind``, ``receiver`` gives ``releases``.

    ``available`` is the number of records of the kind that the giver withholds from the receiver,
    None if that is not known.
    """

    giver: str
    receiver: str
    kind: Kind
    records: int
    releases: int
    available: int | None


@dataclass(frozen=True, slots=True)
class Withheld:
    """The records that ``giver`` withholds from ``receiver`` for standing.

    ``since`` is the day on which the oldest of them became due. ``rules`` are the rules that forbid
    them or, if none does, the rules that would permit them. ``way_out`` is the smallest gift of one
    kind after which records would be released. If the receiver has too few records to give for any
    such gift, ``way_out`` is None and ``out_of_reach`` is the smallest gift that would be needed.
    Both are None if it takes more than one kind.
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
    """Two institutes that withhold from each other for standing.

    Each withholds some kind of which it has given the other nothing since the day ``since``.
    """

    since: int
    sides: tuple[Withheld, Withheld]

    @property
    def way_out(self) -> Gift | None:
        """The smallest gift after which one of the two gives."""
        return _smallest(side.way_out for side in self.sides if side.way_out)


class Withholding:
    """All records withheld for standing in a network, after its last day.

    ``incomplete`` are institutes for which it is not known what others hold for them.
    """

    def __init__(self, network: Network, incomplete: Collection[str] = ()) -> None:
        self._network, self._incomplete = network, incomplete
        found = ((ends, _waiting(network, pair)) for ends, pair in network.pairs.items())
        self._waiting = {ends: lines for ends, lines in found if lines}

    def withheld(self) -> dict[Ends, Withheld]:
        """Return the records withheld, by giver and receiver."""
        return {ends: self._sum_up(ends, lines) for ends, lines in self._waiting.items()}

    def deadlocks(self) -> Iterator[Deadlock]:
        """Yield the deadlocks.

        Two may be in deadlock over one kind while another kind, or relayed records, still move.
        """
        for one, other in self._waiting:
            # each two once, and only if both withhold
            if one > other or (other, one) not in self._waiting:
                continue
            there, back = self._stuck((one, other)), self._stuck((other, one))
            if there and back:
                since = max(min(there.values()), min(back.values()))
                sides = self._side((one, other), there), self._side((other, one), back)
                yield Deadlock(since, sides)

    def _side(self, ends: Ends, stuck: Collection[Kind]) -> Withheld:
        lines = {line: there for line, there in self._waiting[ends].items() if line.kind in stuck}
        return self._sum_up(ends, lines)

    def _stuck(self, ends: Ends) -> dict[Kind, int]:
        """Return the kinds that have not moved for ``deadlock_days``, and the day since when."""
        lines, last = self._waiting[ends], self._network.pairs[ends].last_release

        # since the oldest record withheld became due, or since the day after the last release
        days: dict[Kind, int] = {}
        for line, there in lines.items():
            due = line.day_of(there + 1)
            days[line.kind] = min(days.get(line.kind, due), due)
        days = {kind: max(due, last.get(kind, 0) + 1) for kind, due in days.items()}
        latest = self._network.day + 1 - self._network.scenario.deadlock_days
        return {kind: day for kind, day in days.items() if day <= latest}

    def _sum_up(self, ends: Ends, lines: Waiting) -> Withheld:
        pair = self._network.pairs[ends]
        rules: dict[str, None] = {}
        for line in lines:
            rules |= dict.fromkeys(_deciding_rules(pair, line))

        # nobody can give more than it has
        ways = list(self._ways(pair, lines))
        within = _smallest(
            way for way in ways if way.available is None or way.records <= way.available
        )

        return Withheld(
            giver=pair.giver,
            receiver=pair.receiver,
            kinds=tuple(sorted({line.kind for line in lines})),
            records=_count(lines),
            since=min(line.day_of(there + 1) for line, there in lines.items()),
            rules=tuple(rules),
            way_out=within,
            out_of_reach=None if within else _smallest(ways),
        )

    def _ways(self, pair: Pair, lines: Waiting) -> Iterator[Gift]:
        found = (pair.decisions.ways_out(pair.cases(line)[0], pair.standing) for line in lines)
        for records, kind in {way for ways in found for way in ways}:
            releases = _released_after(pair, lines, kind, records)
            available = self._available((pair.receiver, pair.giver), kind)
            yield Gift(pair.receiver, pair.giver, kind, records, releases, available)

    def _available(self, ends: Ends, kind: Kind) -> int | None:
        """Return how many records of a kind that would count are withheld; None if not known."""
        if ends[1] in self._incomplete:
            return None
        waiting = self._waiting.get(ends, {})
        lines = ((line, there) for line, there in waiting.items() if line.kind is kind)
        return sum(self._network.pairs[ends].usable(line, there) for line, there in lines)


def _count(lines: Waiting) -> int:
    return sum(line.ready[0] - there for line, there in lines.items())


def _smallest(ways: Iterable[Gift]) -> Gift | None:
    return min(ways, key=lambda way: (way.records, -way.releases, way.kind), default=None)


def _waiting(network: Network, pair: Pair) -> Waiting:
    # no better standing would help
    if not pair.decisions.policy.depends_on_standing:
        return {}

    # a receiver may hold more than the giver released, since others pass records on
    held = network.held[pair.receiver]
    there = {
        line: max(pair.released.get(line.number, [0])[0], held.get(line.number, [0])[0])
        for line in network.lines[pair.giver]
    }
    return {line: n for line, n in there.items() if n < line.ready[0] and _waits(pair, line)}


def _waits(pair: Pair, line: Line) -> bool:
    """True if the next record of a line is withheld for standing."""
    if not pair.entitled(line)[0]:
        return False
    case = pair.cases(line)[0]
    if pair.decisions.decision(case, pair.standing).allowed:
        return False
    return pair.decisions.decision(case, _good(pair.standing)).allowed


def _good(standing: Standing) -> Standing:
    """Return a standing that is better by more records of each kind than anyone would give."""
    for kind in Kind:
        standing = standing.after_receiving(kind, MAX_AMOUNT)
    return standing


def _deciding_rules(pair: Pair, line: Line) -> tuple[str, ...]:
    case = pair.cases(line)[0]
    now = pair.decisions.decision(case, pair.standing)
    return now.rules or pair.decisions.decision(case, _good(pair.standing)).rules


def _released_after(pair: Pair, lines: Waiting, kind: Kind, records: int) -> int:
    """Return how many of the waiting records a gift would release at once."""
    standing, released = pair.standing.after_receiving(kind, records), 0
    for line, there in lines.items():
        # what is released for one line uses up standing for the next
        new, used = pair.grant(line, standing, there)
        standing = standing.after_giving(line.kind, used)
        released += new
    return released
