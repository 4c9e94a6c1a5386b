"""Checks that the tables of a scenario fit together.

Pydantic checks each table by itself. What is found here could be played, but nobody can have meant
it: two institutes of one id, a day after the last, a peer that is no institute of the scenario.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, Protocol

from comity.policies.simulation.issuing import IssuedRecords
from comity.policies.simulation.scenario import Scenario
from comity.policies.simulation.toml_lines import Path
from comity.record.limits import MAX_PEERS, MAX_TREATIES

_UNNAMED: Final = "?"
"""The name given for a section whose header states no name; a record may have several."""


def faults(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    """Yield the path of each fault and a message about it."""
    yield from _counts(scenario)
    yield from _repeated(scenario)
    yield from _unknown_institutes(scenario)
    for path, issues in _all_issues(scenario):
        for key, message in _misplaced(issues, scenario.days):
            yield (*path, *key), message
    for i, treaty in enumerate(scenario.treaty):
        yield from ((("treaty", i, *key), text) for key, text in _term(treaty, scenario.days))


def _counts(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    count = len(scenario.institutes())
    if not 2 <= count <= MAX_PEERS:
        yield ("institute",), f"expected 2 to {MAX_PEERS} institutes, got {count}"
    if len(scenario.treaty) > MAX_TREATIES:
        message = f"expected at most {MAX_TREATIES} treaties (MAX_TREATIES)"
        yield ("treaty", MAX_TREATIES), f"{message}, got {len(scenario.treaty)}"


def _repeated(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    seen: set[object] = set()
    for path, what, key in _unique(scenario):
        if key in seen:
            yield path, f"expected each {what} once, got {' and '.join(key[1:])} again"
        seen.add(key)


# a key begins with what it is unique for, so that a treaty may have the id of an institute
def _unique(scenario: Scenario) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Yield the path, the name and the key of each thing that may occur only once."""
    for i, one in enumerate(scenario.institute):
        yield ("institute", i, "id"), "id", ("id", one.id)
    for i, crowd in enumerate(scenario.crowd):
        for member in crowd.members():
            yield ("crowd", i, "id"), "id", ("id", member.id)
    for i, relation in enumerate(scenario.relation):
        yield ("relation", i), "pair", ("relation", relation.by, relation.of)
    for i, treaty in enumerate(scenario.treaty):
        if treaty.id:
            yield ("treaty", i, "id"), "treaty", ("treaty", treaty.id)


def _unknown_institutes(scenario: Scenario) -> Iterator[tuple[Path, str]]:
    known = {one.id for one in scenario.institutes()}
    for path, names in _named(scenario):
        for name in sorted(names - known):
            yield path, f"expected an institute of the scenario, got {name}"
    for i, relation in enumerate(scenario.relation):
        if relation.by == relation.of:
            yield ("relation", i, "of"), f"expected another than {relation.by}, got the same"


def _named(scenario: Scenario) -> Iterator[tuple[Path, frozenset[str]]]:
    """Yield each place that names institutes, and the names."""
    for path, issues in _all_issues(scenario):
        yield path, issues.named
    for heading, tables in (("institute", scenario.institute), ("crowd", scenario.crowd)):
        for i, one in enumerate(tables):
            yield (heading, i, "peers"), one.peers or frozenset()
    for i, relation in enumerate(scenario.relation):
        yield ("relation", i, "by"), frozenset({relation.by})
        yield ("relation", i, "of"), frozenset({relation.of})
    for i, treaty in enumerate(scenario.treaty):
        yield ("treaty", i, "parties"), frozenset(treaty.parties)


def _all_issues(scenario: Scenario) -> Iterator[tuple[Path, IssuedRecords]]:
    for heading, tables in (("institute", scenario.institute), ("crowd", scenario.crowd)):
        for i, one in enumerate(tables):
            for j, issues in enumerate(one.issues):
                yield (heading, i, "issues", j), issues


def _misplaced(issues: IssuedRecords, days: int) -> Iterator[tuple[Path, str]]:
    # days after the last are a slip, and would make a table without effect
    yield from _term(issues, days)
    if issues.on is not None and min(issues.on) > days:
        yield ("on",), f"expected a day of the {days} that are played, got {min(issues.on)}"
    names = Counter(section.name for section in issues.sections)
    for position, section in enumerate(issues.sections):
        if names[section.name] > 1 and section.name != _UNNAMED:
            yield ("sections", position), f"expected each section once, got {section.name!r} twice"


class _Termed(Protocol):
    """A table that holds from its first day to its last."""

    @property
    def first(self) -> int: ...

    @property
    def last(self) -> int | None: ...


def _term(table: _Termed, days: int) -> Iterator[tuple[Path, str]]:
    if table.first > days:
        yield ("from",), f"expected a day of the {days} that are played, got {table.first}"
    if table.last is not None and table.last < table.first:
        yield ("to",), f"expected a day from {table.first} on, got {table.last}"
