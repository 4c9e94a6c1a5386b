"""Search for a case, called a witness, that one rule matches and some other rules do not.

A case is a peer, a part and an action. A rule is a conjunction of conditions. The search makes a
truth table of each condition over the values of the few attributes that the condition reads, joins
the tables, and tries each result on the whole rules once more. Invariant: a search without a
witness claims that none exists only if it was exhaustive.
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
"""Most rows that are joined in one search: some 50 ms."""

MAX_TRIED: Final = 20
"""Most results that are tried on the whole rules before a search gives up."""

_ARITHMETIC: Final = ("+", "-", "*", "neg")
"""The only operators that can fail, since every attribute is always written (``cedar.engine``)."""


@dataclass(frozen=True, slots=True)
class Search:
    """Result of a search. If it has no witness, ``exact`` is True if certainly none exists."""

    witness: Question | None
    exact: bool


def find_witness(matched: Rule, unmatched: Sequence[Rule]) -> Search:
    """Search a question that ``matched`` matches and no rule of ``unmatched`` does.

    A template is taken as linked for a treaty with the peer that covers the part.
    """
    # (1) a truth table of each condition
    space = Space.of([matched, *unmatched])
    others = [Condition.of_rule(rule, False) for rule in unmatched]
    wholes = [Condition.of_rule(matched, True), *others]
    tables = [TruthTable.of(condition, space) for condition in (*_conditions(matched), *others)]
    exact = space.exact and all(table.exact for table in tables)

    # (2) rows that agree, tried on the rules as a whole
    join = _Join(MAX_STEPS)
    for assignment in islice(join.assignments(tables, {}), MAX_TRIED):
        question = Question.of(assignment)
        if all(condition.holds([question]) == [True] for condition in wholes):
            return Search(question, True)
        # tables take one count under two names for two: context.given and standing.given of a kind
        exact = False
    return Search(None, exact and join.steps_left > 0)


def find_failure(rule: Rule) -> Assignment | None:
    """Search values of the attributes that a rule reads at which the rule fails.

    A rule fails if it computes a number that does not fit into 64 bits. Counts up to LARGE_COUNT
    are tried. None means that no such values were found, not that there are none.
    """
    space = Space.of([rule]).possible()
    conditions = list(_conditions(rule))
    whole = Condition.of_rule(rule, None)
    join = _Join(MAX_STEPS)

    for i, condition in enumerate(conditions):
        if not _reckons(condition):
            continue
        # Cedar evaluates conditions from left to right, so those before it have to hold
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
    """Yield the parts of ``when {a && b}`` or ``unless {a || b}``, all of which must hold."""
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
    """A join of truth tables in a limited number of steps, ``steps_left`` of which remain."""

    def __init__(self, steps: int) -> None:
        self.steps_left = steps

    def assignments(self, tables: Sequence[TruthTable], known: Assignment) -> Iterator[Assignment]:
        """Yield each assignment that agrees with ``known`` and with one row of every table."""
        if not tables:
            yield known
            return

        def unknown(table: TruthTable) -> tuple[int, int]:
            return sum(path not in known for path in table.reads), len(table.rows)

        # the table with the fewest unknown attributes comes next: contradictions are found early
        table = min(tables, key=unknown)
        rest = [other for other in tables if other is not table]
        for merged in table.merged(known):
            if not self.steps_left:
                return
            self.steps_left -= 1
            yield from self.assignments(rest, merged)
