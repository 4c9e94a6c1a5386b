"""The case space of some rules: for each attribute that the rules read, a few values to try.

A rule cannot tell all values apart. The values that its conditions name, the numbers next to these,
and one or two words that no condition names stand for all others. Invariant: ``exact`` is True only
if that holds for every attribute that is read; otherwise the values are a sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, count, islice
from typing import Any, Final

from comity.policies.cedar.attribute_paths import Path, literals_in, path_of, paths_in
from comity.policies.cedar.rules import Rule, pairs
from comity.policies.facts import Action, PeerStatus
from comity.record.handling import Tlp
from comity.record.kind import Kind
from comity.record.limits import MAX_JSON_INTEGER

INSTITUTE: Final = ("principal", "institute")
ISSUER: Final = ("resource", "issuer")
SECTION: Final = ("resource", "section")
LISTED: Final = ("resource", "releasableTo")

MAX_SUBSETS_OF: Final = 5
"""Up to so many words, every subset is tried as the value of a set: 32 subsets."""

MAX_WORDS: Final = 12
"""Most words tried of those that rules name: any word of a long list is as good as another."""

MAX_LINKED: Final = 3
"""Up to so many attributes may be compared with each other for two unnamed words to suffice."""

LARGE_COUNT: Final = 1_000_000
"""A count above what most conditions name, and far below overflow."""

_MEMBER_FIRST: Final = (
    *(PeerStatus.MEMBER, PeerStatus.PROBATION),
    *(PeerStatus.SUSPENDED, PeerStatus.REMOVED),
)
CHOICES: Final[Mapping[Path, tuple[Any, ...]]] = {
    ("action",): (Action.REPLICATE, Action.QUERY),
    ("principal", "status"): _MEMBER_FIRST,
    ("resource", "kind"): tuple(Kind),
    ("resource", "tlp"): tuple(reversed(Tlp)),
    ("resource", "onward"): (False, True),
    ("resource", "own"): (True, False),
    ("resource", "withdrawn"): (False, True),
    ("resource", "severity"): tuple(range(5)),
}
"""Attributes that have few values, and these values, the one that bars least first."""

SETS: Final = (
    *(("principal", name) for name in ("groups", "clearances", "purposes")),
    *(("resource", name) for name in ("purposes", "tags", "domains")),
    LISTED,
)
_WORDS: Final = frozenset({INSTITUTE, ISSUER, SECTION, *SETS})
_COMPARISONS: Final = frozenset(
    ("==", "!=", "<", "<=", ">", ">=", "in", "like", "contains", "containsAll", "containsAny")
)
_SETTLED: Final = frozenset(("is", "has", "Value"))
"""Expressions whose value depends on no attribute: the schema determines it."""

_LOGIC: Final = frozenset(("&&", "||", "!", "if-then-else", "isEmpty", "left", "arg", "if", "kind"))
"""Operators that only combine conditions, and the first keys of their operands."""


@dataclass(frozen=True, slots=True)
class Space:
    """The values to try for each attribute that some rules read, those that bar least first.

    A releasable-to list is None or a frozenset, as in ``PartFacts``; its path stands for the
    attribute ``listed`` as well.
    """

    values: Mapping[Path, tuple[Any, ...]]
    exact: bool

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> Space:
        """Return the space of all cases that these rules can tell apart."""
        uses = [use for rule in rules for use in _uses(rule)]
        values: dict[Path, tuple[Any, ...]] = {}
        exact = all(use.exact for use in uses)

        # attributes that are compared with each other need the same words
        for group in _linked(uses):
            exact &= group.exact and len(_named(group)) <= MAX_WORDS
            for path in group.attributes:
                values[path] = _values(path, group)
                exact &= path not in SETS or len(_words(group)) <= MAX_SUBSETS_OF
        return cls(values, exact)

    def possible(self) -> Space:
        """Return this space without counts over LARGE_COUNT, which no institute reaches."""
        values = {
            path: tuple(n for n in some if n <= LARGE_COUNT) if is_count(path) else some
            for path, some in self.values.items()
        }
        return Space(values, self.exact)


def attributes(expression: Any) -> frozenset[Path]:
    """Return the paths of the attributes that a condition reads, as ``Space`` has them."""
    return frozenset(filter(None, map(_attribute, paths_in(expression))))


def is_count(path: Path) -> bool:
    """True if the path is a count of the peer's standing or of the request's context."""
    return (path[0] == "context" and len(path) == 2) or (
        path[1:2] == ("standing",) and len(path) == 4
    )


@dataclass(frozen=True, slots=True)
class _Use:
    """One comparison: its attributes, and the words and numbers that it names."""

    attributes: frozenset[Path]
    named: tuple[str | int, ...]
    exact: bool


def _attribute(path: Path) -> Path | None:
    if path == ("principal",):
        return INSTITUTE
    if path == ("resource", "listed"):
        return LISTED
    return path if path in CHOICES or path in _WORDS or is_count(path) else None


def _uses(rule: Rule) -> Iterator[_Use]:
    for key in ("principal", "action", "resource"):
        yield _Use(scope_attributes(rule, key), tuple(_peers_named(rule.parsed[key])), True)

    # down through the operators that only combine conditions, to the comparisons
    waiting = [rule.parsed["conditions"]]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            operator = next(iter(item))
            if operator in _COMPARISONS:
                yield _comparison(operator, item[operator])
            elif operator in _LOGIC:
                waiting.extend(item.values())
            else:
                known = operator in _SETTLED or _is_plain(item)
                yield _Use(attributes(item), tuple(literals_in(item)), known)


def scope_attributes(rule: Rule, key: str) -> frozenset[Path]:
    """Return the attributes that one part of a rule's scope reads, such as its principal."""
    bound = any(name in ("entity", "entities") for name, _ in pairs(rule.parsed[key]))
    return attributes({"Var": key}) if bound else frozenset()


def _comparison(operator: str, sides: Mapping[str, Any]) -> _Use:
    found = attributes(sides)
    named = [*literals_in(sides), *_peers_named(sides)]
    if operator == "like":
        return _Use(found, (*named, _instance(sides["pattern"])), False)
    # two attributes are compared exactly if both are words, and sets only by contains(Any)
    exact = all(_is_plain(side) for side in sides.values())
    if len(found) > 1:
        exact &= found <= _WORDS and operator in ("==", "!=", "contains", "containsAny")
        exact &= operator not in ("==", "!=") or not found & set(SETS)
    return _Use(found, tuple(named), exact)


def _peers_named(expression: Any) -> Iterator[str]:
    for key, value in pairs(expression):
        if key in ("entity", "__entity") and value["type"] == "Peer":
            yield value["id"]


def _is_plain(side: Any) -> bool:
    """True if one side of a comparison is an attribute, a value or a set of values."""
    path = path_of(side)
    if path is not None:
        return _attribute(path) is not None
    return all("Value" in item for item in side.get("Set", [side]))


def _instance(pattern: Sequence[Any]) -> str:
    """Return a word that matches a pattern of the operator ``like``."""
    return "".join("x" if item == "Wildcard" else item["Literal"] for item in pattern)


def _linked(uses: Iterable[_Use]) -> list[_Use]:
    """Return one use for all attributes that are compared with each other, directly or not."""
    groups: list[_Use] = []
    for use in uses:
        touching = [group for group in groups if group.attributes & use.attributes]
        merged = [*touching, use]
        found = frozenset[Path]().union(*(group.attributes for group in merged))
        named = tuple(dict.fromkeys(value for group in merged for value in group.named))
        groups = [group for group in groups if group not in touching]
        groups.append(_Use(found, named, len(found) <= MAX_LINKED))
    return [group for group in groups if group.attributes]


def _words(group: _Use) -> list[str]:
    """Return one or two words that a group does not name, then those that it names."""
    named = _named(group)
    others = (word for n in count() if (word := f"other-{n}.example") not in named)
    return [*islice(others, min(2, len(group.attributes))), *named[:MAX_WORDS]]


def _named(group: _Use) -> list[str]:
    return [value for value in group.named if isinstance(value, str)]


def _values(path: Path, group: _Use) -> tuple[Any, ...]:
    if path in CHOICES:
        return CHOICES[path]
    if is_count(path):
        # a comparison turns at the number that it names or at one of its neighbours
        numbers = {value for value in group.named if isinstance(value, int)}
        near = {0, 1, LARGE_COUNT} | {n + step for n in numbers for step in (-1, 0, 1)}
        return tuple(sorted(n for n in near if 0 <= n <= MAX_JSON_INTEGER))
    words = _words(group)
    if path not in SETS:
        return tuple(dict.fromkeys(["", *words] if path == SECTION else words))
    subsets = tuple(_subsets(words))
    return (None, *subsets) if path == LISTED else subsets


def _subsets(words: Sequence[str]) -> Iterator[frozenset[str]]:
    sizes = range(len(words) + 1) if len(words) <= MAX_SUBSETS_OF else (0, 1, len(words))
    for size in sizes:
        yield from map(frozenset, combinations(words, size))
