"""A scenario file: TOML that says who is in the network, what each issues, and who is down when.

    title = "Two that wait for each other"
    days = 30

    [[institute]]
    id = "uk.aisi.example"
    policy = "like-for-like"            # a preset, or a Cedar file beside the scenario
    issues = [{ kind = "evaluation", per_day = 0.5, tlp = "GREEN", sections = ["risks"] }]
    down = [{ from = 8, to = 12 }]

    [[crowd]]                           # several institutes that are alike
    count = 20
    id = "member-{n}.aisi.example"
    policy = "balanced"

    [[relation]]                        # other terms that one institute has set for another
    by = "uk.aisi.example"
    of = "member-1.aisi.example"
    status = "probation"

    [[treaty]]                          # for policies with a template, such as the preset treaty
    parties = ["uk.aisi.example", "member-1.aisi.example"]
    kinds = ["evaluation"]              # if left out: all kinds and all sections
    from = 10                           # if left out: always

Days count from 1. Invariants: an unknown key is an error; every error names the line and the key; a
file that parses can be played.
"""

from __future__ import annotations

import tomllib
from typing import Any, Final

from pydantic import ValidationError

from comity.policies.simulation import consistency
from comity.policies.simulation.scenario import Scenario
from comity.policies.simulation.toml_lines import Path, line_of
from comity.record.errors import InvalidInput
from comity.record.limits import Limit
from comity.record.models import describe

MAX_SCENARIO_BYTES: Final = Limit("MAX_SCENARIO_BYTES", 1 << 20, "bytes")
"""A scenario file: MAX_PEERS institutes, each spelt out with a dozen lines of issues."""


def parse_scenario(text: str) -> Scenario:
    """Read a scenario from the text of its file.

    Raises:
        LimitExceeded: over MAX_SCENARIO_BYTES.
        InvalidInput: not TOML, an unknown key, a value of the wrong type or range, or tables
            that do not fit together; names the line and the key.
    """
    MAX_SCENARIO_BYTES.check(len(text.encode()))

    try:
        value = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"expected TOML: {error}") from error

    # each table by itself, then the tables together
    try:
        scenario = Scenario.model_validate(value)
    except ValidationError as error:
        raise _refusal(text, error) from error
    for path, message in consistency.faults(scenario):
        raise _at(text, path, message)
    return scenario


def _refusal(text: str, error: ValidationError) -> InvalidInput:
    errors = error.errors(include_url=False)
    # a misspelt key is reported before the key that is missing in its place
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
            # the tables of an array are annotated tuple[Model, ...]
            annotation = model.model_fields[step].annotation
            model = next(a for a in annotation.__args__ if a is not ...)
    return [field.alias or name for name, field in model.model_fields.items()]


def _at(text: str, path: Path, message: str) -> InvalidInput:
    # a key of the file may be of any length: 100 characters are enough to find it
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}"[:100] for step in path)
    field = "".join(steps).lstrip(".")
    return InvalidInput(f"line {line_of(text, path)}: {message}", field=field)
