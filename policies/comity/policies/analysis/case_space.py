"""The cases that some rules can tell apart: for each attribute that they read, a few values.

Values that no condition tells apart are one to a rule, so that those which it names, the numbers
next to them and a word or two that it does not name stand for all. Invariant: ``exact`` is True
only if that holds of every attribute read; otherwise the values are a sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, count, islice
from typing import Any, Final

from comity.policies.cedar.attribute_paths import Path, literals_in, path_of, paths_in
from comity.policies.cedar.rules import Rule, pairs
from comity.policies.facts import Action, PeerStatus
from comity.record.content import Kind
from comity.record.handling import Tlp
from comity.record.limits import MAX_JSON_INTEGER

INSTITUTE: Final = ("principal", "institute")
ISSUER: Final = ("resource", "issuer")
SECTION: Final = ("resource", "section")
LISTED: Final = ("resource", "releasableTo")

MAX_SUBSETS_OF: Final = 5
"""Words of which every subset is tried as the value of a set: 32 subsets."""

MAX_WORDS: Final = 12
"""Words tried of those that rules name; of a longer list, one is as good as another."""

MAX_LINKED: Final = 3
"""Attributes compared with one another for which two words that no rule names are enough."""

LARGE_COUNT: Final = 1_000_000
"""A count beyond what most conditions name, far below overflow."""

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
"""Attributes of few values, the one that bars least first."""

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
"""Expressions whose value no attribute changes: the schema settles them."""

_LOGIC: Final = frozenset(("&&", "||", "!", "if-then-else", "isEmpty", "left", "arg", "if", "kind"))
"""Operators, and the first keys of their operands, that only put conditions together."""


@dataclass(frozen=True, slots=True)
class Space:
    """The values to try of each attribute that some rules read, the one that bars least first.

    A releasable-to list is None or a frozenset, as in ``PartFacts``; its path stands for ``listed``
    as well.
    """

    values: Mapping[Path, tuple[Any, ...]]
    exact: bool

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> Space:
        """Return the space of the cases that these rules can tell apart."""
        uses = [use for rule in rules for use in _uses(rule)]
        values: dict[Path, tuple[Any, ...]] = {}
        exact = all(use.exact for use in uses)
        for group in _linked(uses):
            exact &= group.exact and len(_named(group)) <= MAX_WORDS
            for path in group.attributes:
                values[path] = _values(path, group)
                exact &= path not in SETS or len(_words(group)) <= MAX_SUBSETS_OF
        return cls(values, exact)

    def possible(self) -> Space:
        """Return this space without the counts that nobody comes to, those over LARGE_COUNT."""
        values = {
            path: tuple(n for n in some if n <= LARGE_COUNT) if is_count(path) else some
            for path, some in self.values.items()
        }
        return Space(values, self.exact)


def attributes(expression: Any) -> frozenset[Path]:
    """Return the attributes that a condition reads, as ``Space`` names them."""
    return frozenset(filter(None, map(_attribute, paths_in(expression))))


def is_count(path: Path) -> bool:
    """Whether an attribute is a count of the peer's standing, or of the request's context."""
    return (path[0] == "context" and len(path) == 2) or (
        path[1:2] == ("standing",) and len(path) == 4
    )


@dataclass(frozen=True, slots=True)
class _Use:
    """One comparison: the attributes in it, the words and numbers that they are compared with."""

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
    """Return the attributes that one part of a rule's scope reads."""
    bound = any(name in ("entity", "entities") for name, _ in pairs(rule.parsed[key]))
    return attributes({"Var": key}) if bound else frozenset()


def _comparison(operator: str, sides: Mapping[str, Any]) -> _Use:
    found = attributes(sides)
    named = [*literals_in(sides), *_peers_named(sides)]
    if operator == "like":
        return _Use(found, (*named, _instance(sides["pattern"])), False)
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
    path = path_of(side)
    if path is not None:
        return _attribute(path) is not None
    return all("Value" in item for item in side.get("Set", [side]))


def _instance(pattern: Sequence[Any]) -> str:
    return "".join("x" if item == "Wildcard" else item["Literal"] for item in pattern)


def _linked(uses: Iterable[_Use]) -> list[_Use]:
    """Merge the uses of attributes that are compared with one another, however indirectly."""
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
    """Return the words that a group names, and one or two that it does not."""
    named = _named(group)
    others = (word for n in count() if (word := f"other-{n}.example") not in named)
    return [*islice(others, min(2, len(group.attributes))), *named[:MAX_WORDS]]


def _named(group: _Use) -> list[str]:
    return [value for value in group.named if isinstance(value, str)]


def _values(path: Path, group: _Use) -> tuple[Any, ...]:
    if path in CHOICES:
        return CHOICES[path]
    if is_count(path):
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
