"""Witnesses: a peer, a part and an action that one rule matches and some others do not.

A rule is a conjunction of conditions. Each is tabulated over the values of the few attributes that
it reads, the tables are joined, and what comes out is put to the rules once more as they stand.
Invariant: a search that ends without a witness says that there is none only if it was exhaustive.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from comity.policies.analysis.case_space import Space, attributes, scope_attributes
from comity.policies.analysis.truth_tables import (
    SCOPE,
    Assignment,
    Condition,
    Question,
    TruthTable,
    scope_of,
)
from comity.policies.cedar.rules import Rule, pairs

MAX_STEPS: Final = 20_000
"""Rows looked at while tables are joined: some 50 ms."""

MAX_TRIED: Final = 20
"""Questions put to the rules as a whole before a search gives up."""

_ARITHMETIC: Final = ("+", "-", "*", "neg")
"""The only operators that can fail, as every attribute is written always."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a search found. ``exact`` says, of one that found nothing, that there is nothing."""

    witness: Question | None
    exact: bool


def find_witness(matched: Rule, unmatched: Sequence[Rule]) -> Search:
    """Search for a question that one rule matches and none of the others does.

    A template is taken as linked for a treaty with the peer that covers the part.
    """
    space = Space.of([matched, *unmatched])
    others = [Condition.of_rule(rule, False) for rule in unmatched]
    wholes = [Condition.of_rule(matched, True), *others]
    tables = [TruthTable.of(condition, space) for condition in (*_conditions(matched), *others)]
    exact = space.exact and all(table.exact for table in tables)
    join = _Join(MAX_STEPS)
    for assignment in islice(join.assignments(tables, {}), MAX_TRIED):
        question = Question.of(assignment)
        if all(condition.holds([question]) == [True] for condition in wholes):
            return Search(question, True)
        # the tables agree and the rules do not: one count stands under two names
        exact = False
    return Search(None, exact and join.steps_left > 0)


def find_failure(rule: Rule) -> Assignment | None:
    """Search for values of what a rule reads, counts up to LARGE_COUNT, at which it fails.

    A rule fails where a number that it works out does not fit into 64 bits. None if no such values
    were found, which does not say that there are none.
    """
    space = Space.of([rule]).possible()
    conditions = list(_conditions(rule))
    whole = Condition.of_rule(rule, None)
    join = _Join(MAX_STEPS)
    for i, condition in enumerate(conditions):
        if not _reckons(condition):
            continue
        # what stands before it is looked at first, and has to hold
        wanted = [replace(condition, wanted=None), *conditions[:i]]
        tables = [TruthTable.of(one, space) for one in wanted]
        for assignment in islice(join.assignments(tables, {}), MAX_TRIED):
            if whole.holds([Question.of(assignment)]) == [True]:
                return assignment
    return None


def _reckons(condition: Condition) -> bool:
    return any(key in _ARITHMETIC for key, _ in pairs(json.loads(condition.policy)))


def _conditions(rule: Rule) -> Iterator[Condition]:
    for key in SCOPE:
        yield Condition.of({key: scope_of(rule, key)}, [], scope_attributes(rule, key))
    for condition in rule.parsed["conditions"]:
        for kind, body in _split(condition["kind"], condition["body"]):
            yield Condition.of({}, [{"kind": kind, "body": body}], attributes(body))


def _split(kind: str, body: Any) -> Iterator[tuple[str, Any]]:
    """Take ``when {a && b}`` and ``unless {a || b}`` apart into what must hold together."""
    waiting = [(kind, body)]
    while waiting:
        kind, body = waiting.pop()
        both = body.get("&&" if kind == "when" else "||")
        if both is not None:
            waiting += [(kind, both["right"]), (kind, both["left"])]
        elif "!" in body:
            waiting.append(("unless" if kind == "when" else "when", body["!"]["arg"]))
        else:
            yield kind, body


class _Join:
    """Joins tables in a limited number of steps; ``steps_left`` is 0 once they are used up."""

    def __init__(self, steps: int) -> None:
        self.steps_left = steps

    def assignments(self, tables: Sequence[TruthTable], known: Assignment) -> Iterator[Assignment]:
        """Return what is known together with a row of each table, wherever they agree."""
        if not tables:
            yield known
            return

        def unknown(table: TruthTable) -> tuple[int, int]:
            return sum(path not in known for path in table.reads), len(table.rows)

        # what is decided already comes first, so that contradictions are found early
        table = min(tables, key=unknown)
        rest = [other for other in tables if other is not table]
        for merged in table.merged(known):
            if not self.steps_left:
                return
            self.steps_left -= 1
            yield from self.assignments(rest, merged)
