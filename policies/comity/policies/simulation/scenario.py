"""A scenario: the institutes of a made-up network, their treaties and terms, and for how long.

Each record that a scenario makes up is about a subject of its own and has substance, so each counts
towards standing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from comity.policies.simulation.issuing import ScenarioTable
from comity.policies.simulation.members import Agreement, Crowd, Day, Institute, PeerTerms, Relation
from comity.record.kind import Kind
from comity.record.models import Integer


class Scenario(ScenarioTable):
    """A whole scenario; its fields are the tables and keys of a scenario file.

    ``window_days`` is how long a record counts towards standing. ``weights`` says what one record
    of a kind is worth towards every other kind. Two institutes are in deadlock after
    ``deadlock_days`` without a release between them. Scenarios of equal ``seed`` draw equally.
    """

    title: str = ""
    days: Day = 30
    seed: Integer = 1
    window_days: Day = 365
    deadlock_days: Day = 7
    weights: dict[Kind, Annotated[Integer, Field(ge=0, le=1_000)]] = Field(default={})
    institute: tuple[Institute, ...] = ()
    crowd: tuple[Crowd, ...] = ()
    relation: tuple[Relation, ...] = ()
    treaty: tuple[Agreement, ...] = ()

    def institutes(self) -> list[Institute]:
        """Return all institutes: first those with a table of their own, then those of crowds."""
        return [*self.institute, *(one for crowd in self.crowd for one in crowd.members())]

    def terms(self, by: str, of: Institute) -> PeerTerms:
        """Return the terms that one institute has set for another."""
        for relation in self.relation:
            if (relation.by, relation.of) == (by, of.id):
                return relation
        return of
