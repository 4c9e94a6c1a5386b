"""Records that an institute of a scenario issues: their parts, their handling and their days.

Invariants: a record's handling is valid, and a section's is no looser than its record's; the number
of records on a day depends only on the seed, the institute and the place in its list.
"""

from __future__ import annotations

import math
import random
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from comity.policies.facts import PartFacts
from comity.record.errors import ComityError
from comity.record.handling import Handling, Name, Tlp
from comity.record.kind import Kind
from comity.record.limits import MAX_DOMAINS, MAX_SECTIONS, MAX_TAGS
from comity.record.models import Flag, Integer, Number

MAX_PER_DAY: Final = 500
"""Largest mean number of records a day: far above any institute, and exp(-500) is still a float."""

MAX_COUNT: Final = 1_000_000
"""Most records of one entry in an institute's list."""


class ScenarioTable(BaseModel):
    """Base of the tables of a scenario file: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Handled(ScenarioTable):
    tlp: Tlp = Tlp.GREEN
    releasable_to: tuple[Name, ...] | None = None
    onward: Flag = False
    purposes: tuple[Name, ...] = ()

    @property
    def handling(self) -> Handling:
        """The release conditions."""
        return Handling.model_validate(_terms(self))


# only the fields of handling: a section has a name, domains and severity besides
def _terms(table: _Handled) -> dict[str, Any]:
    return {name: getattr(table, name) for name in _Handled.model_fields}


class IssuedSection(_Handled):
    """A section; handling that it leaves out is that of its record."""

    name: Name
    domains: Annotated[frozenset[Name], Field(max_length=MAX_DOMAINS)] = frozenset()
    severity: Annotated[Integer, Field(ge=0, le=4)] = 0


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class IssuedRecords(_Handled):
    """Records that are alike: one of ``per_day``, ``count`` and ``on`` says how many and when.

    ``per_day`` is the mean number of records a day, drawn at random. ``count`` is the number of
    records in all, spread evenly. ``on`` lists the days, with one record on each. The first two
    hold from the day ``from`` to the day ``to``, both included, and always if these are left out. A
    section is a name, or a table with handling of its own.
    """

    kind: Kind
    per_day: Annotated[Number, Field(gt=0, le=MAX_PER_DAY)] | None = None
    count: Annotated[Integer, Field(ge=1, le=MAX_COUNT)] | None = None
    on: Annotated[tuple[Annotated[Integer, Field(ge=1)], ...] | None, Field(min_length=1)] = None
    first: Annotated[Integer, Field(ge=1, alias="from")] = 1
    last: Annotated[Integer | None, Field(ge=1, alias="to")] = None
    tags: Annotated[frozenset[Name], Field(max_length=MAX_TAGS)] = frozenset()
    sections: Annotated[
        tuple[Annotated[IssuedSection, BeforeValidator(_named)], ...],
        Field(max_length=MAX_SECTIONS),
    ] = ()

    @property
    def named(self) -> frozenset[str]:
        """The institutes that the releasable-to lists name."""
        lists = (self.releasable_to, *(section.releasable_to for section in self.sections))
        return frozenset(name for names in lists for name in names or ())

    def parts(self, issuer: str) -> tuple[PartFacts, ...]:
        """Return the facts of such a record: of its header, then of its sections."""
        header = self._facts(issuer, "", self.handling, frozenset(), 0)
        return header, *(
            self._facts(issuer, s.name, self._handling_of(s), s.domains, s.severity)
            for s in self.sections
        )

    def schedule(self, days: int, seed: str) -> list[int]:
        """Return the number of records issued on each day, from day 1."""
        made = [0] * days
        first, last = self.first - 1, min(days, self.last or days)

        if self.on is not None:
            for day in self.on:
                if day <= days:
                    made[day - 1] += 1
        elif self.count is not None:
            span = max(last - first, 0)
            for number in range(self.count if span else 0):
                made[first + number * span // self.count] += 1
        else:
            draws = random.Random(seed)  # noqa: S311 -- made-up traffic, no secret
            for day in range(first, last):
                made[day] = _poisson(draws, self.per_day or 0)

        return made

    @model_validator(mode="after")
    def _consistent(self) -> IssuedRecords:
        # exactly one of the three says how many records there are
        given = [name for name in ("per_day", "count", "on") if getattr(self, name) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            raise ValueError(f"expected one of per_day, count and on, got {got}")
        if self.kind is Kind.WITHDRAWAL:
            raise ValueError("expected a kind of record that stays, got withdrawal")

        # handling as a record of its own would be checked
        try:
            handling = self.handling
            for position, section in enumerate(self.sections):
                self._handling_of(section).check_within(handling, f"sections[{position}]")
        except ComityError as error:
            raise ValueError(f"{error.field}: {error.message}") from error
        return self

    def _handling_of(self, section: IssuedSection) -> Handling:
        own = section.model_fields_set & _Handled.model_fields.keys()
        given = {name: getattr(section, name) for name in own}
        return Handling.model_validate({**_terms(self), **given})

    def _facts(
        self, issuer: str, name: str, handling: Handling, domains: frozenset[str], severity: int
    ) -> PartFacts:
        listed = handling.releasable_to

        return PartFacts(
            kind=self.kind,
            issuer=issuer,
            section=name,
            tlp=handling.tlp,
            releasable_to=None if listed is None else frozenset(listed),
            onward=handling.onward,
            purposes=frozenset(handling.purposes),
            tags=self.tags,
            domains=domains,
            severity=severity,
            own=True,
        )


def _poisson(draws: random.Random, mean: float) -> int:
    """Draw from a Poisson distribution (Knuth, TAOCP volume 2, section 3.4.1, algorithm Q)."""
    bound, product, number = math.exp(-mean), draws.random(), 0
    while product > bound:
        product *= draws.random()
        number += 1
    return number
