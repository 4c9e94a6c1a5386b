"""A scenario: who is in the network, what each issues and under which policy, and who is down when.

    title = "Two that wait for each other"
    days = 30

    [[institute]]
    id = "uk.aisi.example"
    policy = "like-for-like"            # a preset, or a Cedar file beside the scenario
    issues = [{ kind = "evaluation", per_day = 0.5, tlp = "GREEN", sections = ["risks"] }]
    down = [{ from = 8, to = 12 }]

    [[crowd]]                           # as many institutes that are alike
    count = 20
    id = "member-{n}.aisi.example"
    policy = "balanced"

    [[relation]]                        # where one institute has set other terms for another
    by = "uk.aisi.example"
    of = "member-1.aisi.example"
    status = "probation"

    [[treaty]]                          # for policies with a template, as the preset treaty
    parties = ["uk.aisi.example", "member-1.aisi.example"]
    kinds = ["evaluation"]              # without them, of all kinds and all sections
    from = 10                           # by default always

Each record is about a subject of its own and has substance, so that each counts towards standing.
Days count from 1. Invariants: an unknown key is an error that names the line; whatever parses can
be played; every id that is named is that of an institute of the scenario.
"""

from __future__ import annotations

import tomllib
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError

from comity.policies.simulation import consistency
from comity.policies.simulation.issuing import Table
from comity.policies.simulation.members import Agreement, Crowd, Day, Institute, Relation, Terms
from comity.policies.simulation.toml_lines import Path, line_of
from comity.record.content import Kind
from comity.record.errors import InvalidInput
from comity.record.limits import Limit
from comity.record.models import Integer, describe

MAX_SCENARIO_BYTES: Final = Limit("MAX_SCENARIO_BYTES", 1 << 20, "bytes")
"""A scenario file: MAX_PEERS institutes, each spelt out with a dozen lines of issues."""


class Scenario(Table):
    """All of a scenario file.

    ``window_days`` is how long records count towards standing, ``weights`` what one of a kind is
    worth towards every other kind; a pair is said to be in deadlock after ``deadlock_days``
    without a release between them. Equal ``seed`` gives equal draws.
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

    @classmethod
    def parse(cls, text: str) -> Scenario:
        """Read a scenario.

        Raises:
            LimitExceeded: over MAX_SCENARIO_BYTES, or more than MAX_PEERS institutes.
            InvalidInput: not TOML, an unknown key, a value of the wrong type or range, or tables
                that do not fit together; names the line and the key.
        """
        MAX_SCENARIO_BYTES.check(len(text.encode()))
        try:
            value = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise InvalidInput(f"expected TOML: {error}") from error
        try:
            scenario = cls.model_validate(value)
        except ValidationError as error:
            raise _refusal(text, error) from error
        for path, message in consistency.faults(scenario):
            raise _at(text, path, message)
        return scenario

    def institutes(self) -> list[Institute]:
        """Return all institutes, those of crowds after those that are spelt out."""
        return [*self.institute, *(one for crowd in self.crowd for one in crowd.members())]

    def terms(self, by: str, of: Institute) -> Terms:
        """Return the terms that one institute has set for another."""
        for relation in self.relation:
            if (relation.by, relation.of) == (by, of.id):
                return relation
        return of


def _refusal(text: str, error: ValidationError) -> InvalidInput:
    errors = error.errors(include_url=False)
    # a misspelt key is told before the key that is missing in its place
    unknown = [tuple(one["loc"]) for one in errors if one["type"] == "extra_forbidden"]
    if unknown:
        known = ", ".join(_keys(unknown[0][:-1]))
        return _at(text, unknown[0], f"unknown key; expected one of {known}")
    return _at(text, tuple(errors[0]["loc"]), describe(error)[1])


def _keys(table: Path) -> list[str]:
    """Return the keys that a table may have; ``table`` is its path."""
    model: Any = Scenario
    for step in table:
        if isinstance(step, str) and step in model.model_fields:
            annotation = model.model_fields[step].annotation
            model = next(a for a in annotation.__args__ if a is not ...)
    return [field.alias or name for name, field in model.model_fields.items()]


def _at(text: str, path: Path, message: str) -> InvalidInput:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}"[:100] for step in path)
    field = "".join(steps).lstrip(".")
    return InvalidInput(f"line {line_of(text, path)}: {message}", field=field)
