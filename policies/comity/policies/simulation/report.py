"""The report of a simulation: coverage, who gave whom, gains, free riders and deadlocks.

``withholding`` defines what is withheld for standing, and what a deadlock is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic.alias_generators import to_camel

from comity.policies.simulation.network import Network
from comity.policies.simulation.withholding import Deadlock, Withheld, Withholding

FREE_RIDER_SHARE: Final = 4
"""A free rider gives less than a quarter of what it receives; both include what is withheld for
standing."""

VERDICT_DAYS: Final = 30
"""Days before which nobody is called a free rider or starved: less says nothing of a peer."""

STARVED_SHARE: Final = 2
"""A starved institute lacks more than half of what it receives, withheld records included."""


@dataclass(frozen=True, slots=True)
class InstituteResult:
    """The result of one institute, in records unless stated otherwise.

    ``given`` and ``received`` count a record once for each pair of institutes. ``relayed`` is how
    many of the records received were first brought by another institute than the issuer.
    ``missing`` is the number of records that others withhold from it for standing, ``held_back``
    the number that it withholds itself. ``coverage`` is the share, 0 to 1, that it holds of the
    parts that handling alone would allow; None if there are none. ``gain`` is the number of records
    received for each record issued; None if it issued none. ``missing`` and ``coverage`` are None,
    and ``starved`` is False, if it is not known what others hold for it.
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
    """The outcome of a scenario.

    ``history`` is the coverage of each day and institute, in the order of ``results``; ``mean`` is
    the coverage of the whole network on each day. ``matrix[i][j]`` counts the records that the i-th
    institute issued and gave the j-th. ``withheld`` are the records withheld for standing, for each
    giver and receiver. ``incomplete`` are the institutes for which it is not known what others hold
    for them; they are left out of ``mean``.
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
        """Return the JSON value; keys are in camelCase."""
        value: dict[str, Any] = _camel(asdict(self))
        # a property, which asdict leaves out
        for found, deadlock in zip(value["deadlocks"], self.deadlocks, strict=True):
            way = deadlock.way_out
            found["wayOut"] = _camel(asdict(way)) if way else None
        return value


def report(network: Network, incomplete: Collection[str] = ()) -> SimulationOutcome:
    """Sum up a network after its last day.

    ``incomplete`` are the institutes for which it is not known what others hold for them.
    """
    names = list(network.institutes)
    withholding = Withholding(network, incomplete)
    withheld = withholding.withheld()
    matrix = [[_given(network, giver, receiver) for receiver in names] for giver in names]

    # a share of (0, 0) is shown as unknown and does not enter the mean
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
    # what it issued, gave and received
    place = list(network.institutes).index(name)
    given, direct = sum(matrix[place]), sum(row[place] for row in matrix)
    issued = sum(line.issued for line in network.lines[name])
    received = sum(parts[0] for parts in network.held[name].values())

    # what is withheld, from it and by it
    missing = sum(w.records for (_, receiver), w in withheld.items() if receiver == name)
    held_back = sum(w.records for (giver, _), w in withheld.items() if giver == name)
    takes = received + missing
    judged = network.day >= VERDICT_DAYS

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
        free_rider=judged and (given + held_back) * FREE_RIDER_SHARE < takes,
        starved=judged and known and missing * STARVED_SHARE > takes,
    )


def _given(network: Network, giver: str, receiver: str) -> int:
    """Return how many of its own records one institute has delivered to another."""
    pair = network.pairs.get((giver, receiver))
    if pair is None:
        return 0
    lines = (pair.delivered.get(line.number) for line in network.lines[giver])
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
