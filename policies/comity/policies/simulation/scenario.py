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

Days count from 1. Invariants: an unknown key is an error that names the line; whatever parses can
be played; every id that is named is that of an institute of the scenario.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, ValidationError, model_validator

from comity.policies.facts import PeerStatus
from comity.policies.simulation.issuing import Issues, Table
from comity.policies.simulation.location import Path, line_of
from comity.record.content import Kind
from comity.record.errors import InvalidInput, LimitExceeded
from comity.record.limits import MAX_PEERS
from comity.record.models import Integer, describe
from comity.record.spiffe import check_institute

MAX_SCENARIO_BYTES: Final = 1 << 20
"""A scenario file: MAX_PEERS institutes, each spelt out with a dozen lines of issues."""

MAX_DAYS: Final = 3_660
"""Ten years: no policy's window is longer than a few."""

PLACE: Final = "{n}"
"""What stands for the number, from 1, in the id of a crowd."""

Day = Annotated[Integer, Field(ge=1, le=MAX_DAYS)]
Words = frozenset[str]


def _institute(name: str) -> str:
    try:
        return check_institute(name)
    except InvalidInput as error:
        raise ValueError(error.message) from error


InstituteId = Annotated[str, AfterValidator(_institute)]


class Outage(Table):
    """Days, both included, on which an institute neither publishes nor gives nor receives."""

    first: Day = Field(alias="from")
    last: Day = Field(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Outage:
        if self.last < self.first:
            raise ValueError(f"expected a day from {self.first} on, got {self.last}")
        return self


class Terms(Table):
    """What others have set for an institute, as a policy sees it."""

    status: PeerStatus = PeerStatus.MEMBER
    groups: Words = frozenset()
    clearances: Words = frozenset()
    purposes: Words = frozenset()


class Behaviour(Terms):
    """What an institute does. Without ``peers``, all others are; two must name each other."""

    policy: Annotated[str, Field(min_length=1)]
    issues: tuple[Issues, ...] = ()
    down: tuple[Outage, ...] = ()
    peers: frozenset[InstituteId] | None = None

    def is_down(self, day: int) -> bool:
        """Whether it is down on a day."""
        return any(outage.first <= day <= outage.last for outage in self.down)


class Institute(Behaviour):
    """One institute."""

    id: InstituteId


class Crowd(Behaviour):
    """Institutes that are alike: ``{n}`` in ``id`` becomes 1 to ``count``."""

    count: Annotated[Integer, Field(ge=1, le=MAX_PEERS)]
    id: str = f"member-{PLACE}.aisi.example"

    @model_validator(mode="after")
    def _numbered(self) -> Crowd:
        if PLACE not in self.id:
            raise ValueError(f"expected an id with {PLACE} in it, got {self.id!r:.80}")
        _institute(self.id.replace(PLACE, "1"))
        return self

    def members(self) -> Iterator[Institute]:
        """Yield the institutes."""
        shared = {name: getattr(self, name) for name in Behaviour.model_fields}
        for number in range(1, self.count + 1):
            yield Institute(id=self.id.replace(PLACE, str(number)), **shared)


class Relation(Terms):
    """Terms that ``by`` has set for ``of``, in place of those that ``of`` has with all others."""

    by: InstituteId
    of: InstituteId


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

    @classmethod
    def parse(cls, text: str) -> Scenario:
        """Read a scenario.

        Raises:
            LimitExceeded: over MAX_SCENARIO_BYTES, or more than MAX_PEERS institutes.
            InvalidInput: not TOML, an unknown key, a value of the wrong type or range, an id twice
                or of nobody; names the line and the key.
        """
        size = len(text.encode())
        if size > MAX_SCENARIO_BYTES:
            raise LimitExceeded("MAX_SCENARIO_BYTES", MAX_SCENARIO_BYTES, size, "bytes")
        try:
            value = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise InvalidInput(f"expected TOML: {error}") from error
        try:
            scenario = cls.model_validate(value)
        except ValidationError as error:
            raise _refusal(text, error) from error
        scenario._check_names(text)
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

    def _check_names(self, text: str) -> None:
        ids = [one.id for one in self.institutes()]
        if not 2 <= len(ids) <= MAX_PEERS:
            message = f"expected 2 to {MAX_PEERS} institutes, got {len(ids)}"
            raise InvalidInput(message, field="institute")
        seen: set[str] = set()
        for position, name in enumerate(ids):
            if name in seen:
                spelt_out = position < len(self.institute)
                path: Path = ("institute", position, "id") if spelt_out else ("crowd", 0, "id")
                raise _at(text, path, f"expected each id once, got {name} again")
            seen.add(name)
        for path, names in self._named():
            for name in sorted(names - seen):
                raise _at(text, path, f"expected an institute of the scenario, got {name}")

    def _named(self) -> Iterator[tuple[Path, frozenset[str]]]:
        for heading, tables in (("institute", self.institute), ("crowd", self.crowd)):
            for i, one in enumerate(tables):
                yield (heading, i, "peers"), one.peers or frozenset()
                for j, issues in enumerate(one.issues):
                    yield (heading, i, "issues", j), issues.named
        for i, relation in enumerate(self.relation):
            yield ("relation", i, "by"), frozenset({relation.by})
            yield ("relation", i, "of"), frozenset({relation.of})


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
