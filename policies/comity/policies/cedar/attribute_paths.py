"""Attribute paths: the facts that a rule reads, and the values that it names.

Both are taken from the rule's form in Cedar's JSON. A path names an attribute as the schema spells
it, beginning with its variable: ``("resource", "tlp")``, ``("context", "given")``,
``("principal", "standing", "received", "evaluation")``. A variable alone is a path of length 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from comity.policies.cedar.rules import Rule, pairs

Path = tuple[str, ...]


def path_of(expression: Any) -> Path | None:
    """Return the path of an attribute, or None if the expression is no attribute."""
    # a.b.c is nested as ((a).b).c, so the last step comes first
    steps: list[str] = []
    while isinstance(expression, dict):
        if "Var" in expression:
            return (expression["Var"], *reversed(steps))
        if "." not in expression:
            return None
        steps.append(expression["."]["attr"])
        expression = expression["."]["left"]
    return None


def paths_in(expression: Any) -> Iterator[Path]:
    """Yield every path in an expression, each in its full length."""
    waiting = [expression]
    while waiting:
        item = waiting.pop()
        path = path_of(item)
        if path is not None:
            yield path
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def paths_read(rules: Iterable[Rule]) -> set[Path]:
    """Return every path in the conditions of these rules."""
    return {path for rule in rules for path in paths_in(rule.parsed["conditions"])}


def words_named(rules: Iterable[Rule]) -> set[str]:
    """Return every string in the conditions of these rules."""
    found = (value for rule in rules for value in literals_in(rule.parsed["conditions"]))
    return {value for value in found if isinstance(value, str)}


def literals_in(expression: Any) -> Iterator[str | int | bool]:
    """Yield every string, number and truth value in an expression, but no entity."""
    for key, value in pairs(expression):
        if key == "Value" and isinstance(value, str | int):
            yield value
