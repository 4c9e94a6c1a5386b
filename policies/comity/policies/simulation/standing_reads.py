"""What a policy can tell of a standing: the results of the comparisons that it makes of counts.

A policy cannot tell two standings apart if every comparison of counts in its text has the same
result for both. Invariant: a policy that reads counts in any other way, or that computes a number
too large for the evaluator, is taken to read all counts.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Final

from comity.policies.cedar.attribute_paths import path_of
from comity.policies.evaluator import Policy
from comity.policies.facts import Counts, Standing
from comity.record.kind import Kind

_Value = Callable[[str, str], int]
"""Returns the count of a column and a kind; an empty kind means the part's own."""
_Number = Callable[[_Value], int]
_Test = Callable[[_Value], bool]

_GIVEN: Final = ("given", "givenEver")
_ARITHMETIC: Final = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_COMPARISONS: Final = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_LARGEST: Final = 2**63 - 1
"""Cedar computes with 64 bits; beyond that a rule fails."""


class StandingReads:
    """The comparisons of counts that one policy makes."""

    def __init__(self, policy: Policy) -> None:
        # a comparison that occurs several times is made once
        found = {json.dumps(e): t for rule in policy.rules for e, t in _reads(rule.parsed)}
        self._tests = tuple(test for test in found.values() if test is not None)
        self._reads_all = len(self._tests) < len(found)

    def view(self, standing: Standing, kind: Kind, more: int = 0) -> Hashable:
        """Return a value that is equal for standings that the policy cannot tell apart.

        ``kind`` is that of the part in question, of which ``more`` records are taken as given.
        """
        if not self._reads_all:
            columns = _by_column(standing)

            def value(column: str, of: str) -> int:
                counted = Kind(of) if of else kind
                added = more if column in _GIVEN and counted is kind else 0
                return max(counts.get(counted, 0) for counts in columns[column]) + added

            try:
                return tuple(test(value) for test in self._tests)
            except OverflowError:
                pass
        return whole_standing(standing.after_giving(kind, more))


def whole_standing(standing: Standing) -> Hashable:
    """Return everything that a policy may read of a standing."""
    return tuple(
        tuple(sorted((kind, count) for kind, count in counts.items() if count))
        for column in _by_column(standing).values()
        for counts in column
    )


def _by_column(standing: Standing) -> dict[str, tuple[Counts, ...]]:
    """Return the counts by their names in the schema; the highest of several is read."""
    return {
        "received": (standing.received,),
        "given": (standing.given,),
        "credit": (standing.credit,),
        "rejected": (standing.rejected,),
        "receivedEver": (standing.received, standing.received_ever),
        "givenEver": (standing.given, standing.given_ever),
    }


def _reads(expression: Any) -> Iterator[tuple[Any, _Test | None]]:
    """Yield each comparison of counts with its test; whatever else reads counts has None."""
    waiting = [expression]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            test = _test(item)
            if test is not None or _reads_counts(item):
                yield item, test
            else:
                waiting.extend(item.values())


def _reads_counts(item: dict[str, Any]) -> bool:
    path = path_of(item)
    if path is not None:
        return path[0] == "context" or path[:2] == ("principal", "standing")
    return "." in item and item["."]["attr"] == "standing"


def _test(item: dict[str, Any]) -> _Test | None:
    if len(item) != 1:
        return None
    [(name, sides)] = item.items()
    if name not in _COMPARISONS:
        return None
    compare, left, right = _COMPARISONS[name], _number(sides["left"]), _number(sides["right"])
    if left is None or right is None:
        return None
    return lambda value: compare(left(value), right(value))


def _number(item: Any) -> _Number | None:
    """Return a function that computes a sum of counts and numbers; None for anything else."""
    if not isinstance(item, dict) or len(item) != 1:
        return None
    match path_of(item):
        case ("context", column):
            return lambda value: value(column, "")
        case ("principal", "standing", column, kind):
            return lambda value: value(column, kind)

    # a number, or arithmetic on both sides of an operator
    [(name, inside)] = item.items()
    if name == "Value" and isinstance(inside, int) and not isinstance(inside, bool):
        return lambda value: inside
    if name not in _ARITHMETIC:
        return None
    left, right = _number(inside["left"]), _number(inside["right"])
    if left is None or right is None:
        return None
    reckon = _ARITHMETIC[name]
    return lambda value: _checked(reckon(left(value), right(value)))


def _checked(number: int) -> int:
    if abs(number) > _LARGEST:
        raise OverflowError
    return number
