"""Groups of institutes whose ids differ only in a number, such as the members of a crowd."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from comity.policies.simulation.report import SimulationOutcome

_NUMBER: Final = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class InstituteGroup:
    """Neighbours in a report: the institutes ``first`` to ``last``, both included, from 0."""

    name: str
    first: int
    last: int

    @property
    def label(self) -> str:
        """The name, and how many institutes there are if there are several."""
        count = self.last - self.first + 1
        return self.name if count == 1 else f"{self.name} ({count})"

    def shares(self, outcome: SimulationOutcome) -> list[float | None]:
        """Return each day's mean coverage, 0 to 1; None where none of them has a coverage."""
        return [_mean(day[self.first : self.last + 1]) for day in outcome.history]


def id_stem(institute: str) -> str:
    """Return an institute's id with # for each number: members of a crowd have it in common."""
    return _NUMBER.sub("#", institute)


def institute_groups(outcome: SimulationOutcome, most: int) -> list[InstituteGroup]:
    """Return the groups, in order; of up to ``most`` institutes each is a group of its own."""
    names = [result.institute for result in outcome.results]
    many = len(names) > most
    groups, first = [], 0
    for stem, members in groupby(names, lambda name: id_stem(name) if many else name):
        alike = list(members)
        last = first + len(alike) - 1
        groups.append(InstituteGroup(stem if len(alike) > 1 else alike[0], first, last))
        first = last + 1
    return groups


def _mean(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None
