"""Truth tables: for which values of the attributes that it reads a condition holds.

Invariants: the engine has decided every row of a table; equal conditions over equal values have
equal tables, so tables can be kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import product
from math import gcd, prod
from typing import Any, Final

import cedarpy
from pydantic.alias_generators import to_camel

from comity.policies.analysis.case_space import (
    CHOICES,
    INSTITUTE,
    ISSUER,
    LISTED,
    SECTION,
    SETS,
    Space,
    attributes,
    is_count,
    scope_attributes,
)
from comity.policies.cedar import engine
from comity.policies.cedar.attribute_paths import Path
from comity.policies.cedar.rules import Rule
from comity.policies.facts import Action, Counts, PartFacts, PeerFacts, Standing
from comity.record.kind import Kind

MAX_ROWS: Final = 600
"""Most rows of a table, some 200 µs each; if there would be more, so many are a sample."""

KEPT_TABLES: Final = 256
"""Enough for the tables of the baseline and of one long policy."""

SCOPE: Final = ("principal", "action", "resource")

_ALL: Final = {"op": "All"}
_COLUMNS: Final = {to_camel(column.name): column.name for column in fields(Standing)}
_DEFAULTS: Final[Mapping[Path, Any]] = {
    **{path: choices[0] for path, choices in CHOICES.items()},
    **dict.fromkeys(SETS, frozenset()),
    LISTED: None,
    INSTITUTE: "peer.example",
    ISSUER: "issuer.example",
    SECTION: "",
}
"""Values of attributes that no condition in question reads: those that bar least."""

Assignment = Mapping[Path, Any]
"""Values of some attributes, by path."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a policy: may the peer have the part by this action?"""

    peer: PeerFacts
    part: PartFacts
    action: Action

    @classmethod
    def of(cls, assignment: Assignment) -> Question:
        """Return a question with these values; all other attributes have those that bar least."""
        known = {**_DEFAULTS, **assignment}
        kind = known["resource", "kind"]
        of_peer = ("institute", "status", "groups", "clearances", "purposes")
        of_part = ("issuer", "section", "tlp", "onward", "purposes", "tags", "domains", "severity")

        peer = PeerFacts(
            **{name: known["principal", name] for name in of_peer},
            standing=_standing(assignment, kind),
        )
        part = PartFacts(
            kind=kind,
            releasable_to=known[LISTED],
            **{name: known["resource", name] for name in (*of_part, "own", "withdrawn")},
        )
        return cls(peer, part, known["action",])


def _standing(assignment: Assignment, kind: Kind) -> Standing:
    columns: dict[str, Counts] = {}
    # sorted, so that of one count under two names the same one prevails each time
    for path in sorted(filter(is_count, assignment)):
        column = _COLUMNS[path[-1] if path[0] == "context" else path[2]]
        of = kind if path[0] == "context" else Kind(path[3])
        columns[column] = {**columns.get(column, {}), of: assignment[path]}
    return Standing(**columns)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule, or a whole rule, and its wanted value.

    ``policy`` is the text of a permit with this condition alone, in Cedar's JSON form. ``reads``
    are the attributes that it reads. ``wanted`` is True, False, or None if it must fail.
    """

    policy: str
    reads: tuple[Path, ...]
    wanted: bool | None = True

    @classmethod
    def of(
        cls,
        scope: Mapping[str, Any],
        conditions: Any,
        reads: Iterable[Path],
        wanted: bool | None = True,
    ) -> Condition:
        """Return the condition of a scope and conditions in Cedar's JSON form."""
        whole = {**dict.fromkeys(SCOPE, _ALL), **scope}
        policy = {"effect": "permit", **whole, "conditions": conditions, "annotations": {}}
        return cls(json.dumps(policy, sort_keys=True), tuple(sorted(reads)), wanted)

    @classmethod
    def of_rule(cls, rule: Rule, wanted: bool | None) -> Condition:
        """Return the condition that a whole rule matches, does not match, or fails."""
        scope = frozenset[Path]().union(*(scope_attributes(rule, key) for key in SCOPE))
        conditions = rule.parsed["conditions"]
        bound = {key: scope_of(rule, key) for key in SCOPE}
        return cls.of(bound, conditions, scope | attributes(conditions), wanted)

    def holds(self, questions: Sequence[Question]) -> list[bool]:
        """Return for each question True if the condition has the wanted value."""
        # a condition that fails is neither True nor False
        found = matching(parse_set({"condition": json.loads(self.policy)}), questions)
        return [(None if names is None else bool(names)) is self.wanted for names in found]


def scope_of(rule: Rule, key: str) -> Any:
    """Return one part of a rule's scope; a template's slot is taken as one that always matches."""
    scope = rule.parsed[key]
    return _ALL if "slot" in scope else scope


@dataclass(frozen=True, slots=True)
class TruthTable:
    """The values with which a condition is as wanted; ``exact`` if all combinations were tried."""

    reads: tuple[Path, ...]
    rows: tuple[tuple[Any, ...], ...]
    exact: bool

    @classmethod
    def of(cls, condition: Condition, space: Space) -> TruthTable:
        """Return the table of a condition over the values of a space."""
        return _tabulated(condition, tuple(space.values[path] for path in condition.reads))

    def merged(self, known: Assignment) -> Iterator[Assignment]:
        """Yield ``known`` joined with each row that does not contradict it."""
        for row in self.rows:
            found = dict(zip(self.reads, row, strict=True))
            if all(known.get(path, value) == value for path, value in found.items()):
                yield {**known, **found}


@lru_cache(maxsize=KEPT_TABLES)
def _tabulated(condition: Condition, values: tuple[tuple[Any, ...], ...]) -> TruthTable:
    size = prod(map(len, values))
    rows = list(product(*values) if size <= MAX_ROWS else _sample(values, size))
    questions = [Question.of(dict(zip(condition.reads, row, strict=True))) for row in rows]
    held = condition.holds(questions)
    kept = tuple(row for row, holds in zip(rows, held, strict=True) if holds)
    return TruthTable(condition.reads, kept, size <= MAX_ROWS)


def _sample(values: Sequence[tuple[Any, ...]], size: int) -> Iterator[tuple[Any, ...]]:
    """Yield MAX_ROWS of all rows, spread evenly and always the same ones."""
    # steps near the golden ratio spread evenly; a step prime to the size meets no row twice
    step = int(size * 0.618)
    while gcd(step, size) > 1:
        step += 1
    for n in range(MAX_ROWS):
        index, row = n * step % size, []
        for choices in values:
            index, at = divmod(index, len(choices))
            row.append(choices[at])
        yield tuple(row)


def parse_set(policies: Mapping[str, Any]) -> cedarpy.PolicySet:
    """Return parsed policies; ``policies`` are by name, in Cedar's JSON form."""
    value = {"staticPolicies": policies, "templates": {}, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(json.dumps(value))


def matching(
    policies: cedarpy.PolicySet, questions: Sequence[Question]
) -> list[frozenset[str] | None]:
    """Return for each question the names of the policies that match it; None if one fails.

    The policies are all permits, or all forbids.
    """
    # a call of the engine can hold only one peer of an id, so each peer has a call of its own
    by_peer: dict[str, list[int]] = {}
    for i, question in enumerate(questions):
        by_peer.setdefault(repr((question.peer, question.action)), []).append(i)

    found: list[frozenset[str] | None] = [None] * len(questions)
    for positions in by_peer.values():
        peer, action = questions[positions[0]].peer, questions[positions[0]].action
        parts = [questions[i].part for i in positions]
        results = cedarpy.is_authorized_batch(
            engine.requests(peer, parts, action), policies, engine.entities(peer, parts)
        )
        for i, result in zip(positions, results, strict=True):
            if not result.diagnostics.errors:
                found[i] = frozenset(result.diagnostics.reasons)
    return found
