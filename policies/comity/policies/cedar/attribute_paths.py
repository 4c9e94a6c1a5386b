"""What a rule reads of the facts, and which values it names: read off Cedar's JSON form.

A path is an attribute as the schema spells it, from its variable on: ``("resource", "tlp")``,
``("context", "given")``, ``("principal", "standing", "received", "evaluation")``; a variable that
stands alone is a path of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from comity.policies.cedar.rules import Rule, pairs

Path = tuple[str, ...]


def path_of(expression: Any) -> Path | None:
    """Return the path that an expression is, or None if it is something else."""
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
    """Return every path that an expression reads, each as far as it goes."""
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
    """Return every path that the conditions of these rules read."""
    return {path for rule in rules for path in paths_in(rule.parsed["conditions"])}


def words_named(rules: Iterable[Rule]) -> set[str]:
    """Return every string that the conditions of these rules name."""
    found = (value for rule in rules for value in literals_in(rule.parsed["conditions"]))
    return {value for value in found if isinstance(value, str)}


def literals_in(expression: Any) -> Iterator[str | int | bool]:
    """Return every string, number and truth value that an expression names; no entities."""
    for key, value in pairs(expression):
        if key == "Value" and isinstance(value, str | int):
            yield value
