"""What came of a scenario: coverage, who gave whom, who gains, who rides free, who waits for whom.

What is withheld for standing, and what a deadlock is, ``withholding`` says.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic.alias_generators import to_camel

from comity.policies.simulation.network import Network
from comity.policies.simulation.withholding import Deadlock, Withheld, Withholding

FREE_RIDER_SHARE: Final = 4
"""A free rider gives, or would give if standing allowed, less than a quarter of what it gets or
would get."""

STARVED_SHARE: Final = 2
"""Who is starved lacks more than half of what it gets or would get."""


@dataclass(frozen=True, slots=True)
class InstituteResult:
    """What one institute has in the end, in records unless it says otherwise.

    ``given`` and ``received`` count a record once for each pair of institutes; ``relayed`` is how
    many of those received another than the issuer brought first. ``missing`` is withheld from it
    for standing by others, ``held_back`` withheld by it. ``coverage`` is the share, 0 to 1, of the
    parts that handling alone would allow it and that it holds, None where there are none. ``gain``
    is received for each one issued, None where it issued none. Of an institute of which not all
    that there is for it is known, ``missing`` and ``coverage`` are None, and it is not starved.
    """

    institute: str
    policy: str
    issued: int
    given: int
    received: int
    relayed: int
    missing: int | None
    held_back: int
    coverage: float | None
    gain: float | None
    free_rider: bool
    starved: bool


@dataclass(frozen=True, slots=True)
class SimulationOutcome:
    """All that is told of a scenario.

    ``history`` is each day's coverage by institute, in the order of ``results``; ``mean`` that of
    the network as a whole. ``matrix[i][j]`` counts the records that the i-th institute issued and
    gave the j-th. ``withheld`` is what is withheld for standing, by giver and receiver.
    ``incomplete`` are the institutes of which it is not known what others have for them; they are
    left out of ``mean``.
    """

    title: str
    days: int
    seed: int
    results: tuple[InstituteResult, ...]
    history: tuple[tuple[float | None, ...], ...]
    mean: tuple[float | None, ...]
    matrix: tuple[tuple[int, ...], ...]
    withheld: tuple[Withheld, ...]
    deadlocks: tuple[Deadlock, ...]
    incomplete: tuple[str, ...]

    def to_value(self) -> dict[str, Any]:
        """Return the JSON value, keys in camelCase."""
        value: dict[str, Any] = _camel(asdict(self))
        for found, deadlock in zip(value["deadlocks"], self.deadlocks, strict=True):
            way = deadlock.way_out
            found["wayOut"] = _camel(asdict(way)) if way else None
        return value


def report(network: Network, incomplete: Collection[str] = ()) -> SimulationOutcome:
    """Sum up a network as it is after its last day.

    ``incomplete`` are institutes of which it is not known what others have for them.
    """
    names = list(network.institutes)
    withholding = Withholding(network, incomplete)
    withheld = withholding.withheld()
    matrix = [[_given(network, giver, receiver) for receiver in names] for giver in names]
    history = [
        {name: (0, 0) if name in incomplete else share for name, share in day.items()}
        for day in network.history
    ]
    return SimulationOutcome(
        title=network.scenario.title,
        days=network.day,
        seed=network.scenario.seed,
        results=tuple(_result(network, n, withheld, matrix, n not in incomplete) for n in names),
        history=tuple(tuple(_share(*day[name]) for name in names) for day in history),
        mean=tuple(_mean(list(day.values())) for day in history),
        matrix=tuple(map(tuple, matrix)),
        withheld=tuple(withheld.values()),
        deadlocks=tuple(withholding.deadlocks()),
        incomplete=tuple(name for name in names if name in incomplete),
    )


def _result(
    network: Network,
    name: str,
    withheld: dict[tuple[str, str], Withheld],
    matrix: list[list[int]],
    known: bool,
) -> InstituteResult:
    place = list(network.institutes).index(name)
    given, direct = sum(matrix[place]), sum(row[place] for row in matrix)
    issued = sum(line.issued for line in network.lines[name])
    received = sum(parts[0] for parts in network.held[name].values())
    missing = sum(w.records for (_, receiver), w in withheld.items() if receiver == name)
    held_back = sum(w.records for (giver, _), w in withheld.items() if giver == name)
    takes = received + missing
    return InstituteResult(
        institute=name,
        policy=network.institutes[name].policy,
        issued=issued,
        given=given,
        received=received,
        relayed=max(received - direct, 0),
        missing=missing if known else None,
        held_back=held_back,
        coverage=_share(*network.history[-1][name]) if known and network.history else None,
        gain=received / issued if issued else None,
        free_rider=(given + held_back) * FREE_RIDER_SHARE < takes,
        starved=known and missing * STARVED_SHARE > takes,
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


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {to_camel(key): _camel(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_camel(item) for item in value]
    return value
