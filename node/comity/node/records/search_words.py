"""The words of a record by which search finds it, and its characters of content.

Invariant: words are made only from what is signed and disclosed, so they can be made again.
"""

from __future__ import annotations

from typing import Any, Final

from comity.record.model_names import name_words
from comity.record.search_terms import folded_words
from comity.record.section import Disclosure
from comity.record.statement import Statement

SOURCES: Final = "sources"
"""The section that names the sources of a record's content; it adds no content itself."""

MAX_CONTENT_CHARS: Final = 65_536
"""Characters of content that are counted; beyond them a section adds no more substance."""


def header_words(statement: Statement) -> list[str]:
    """Return the words of title and summary in every language, of tags, and of the model's names.

    Those of the title come first.
    """
    predicate = statement.predicate
    texts = [*predicate.title.values(), *predicate.summary.values(), *predicate.tags]
    return folded_words("\n".join([*texts, *_names(statement)]))


def model_words(statement: Statement) -> list[str]:
    """Return the words of the names of the model; see ``comity.record.model_names``."""
    return name_words(_names(statement), statement.subject[0].digest.sha256)


def section_words(disclosure: Disclosure) -> list[str]:
    """Return the words of all texts and numbers of a disclosed section."""
    return folded_words("\n".join(map(str, _values(disclosure.value))))


def content_chars(disclosure: Disclosure) -> int:
    """Return the characters of content of a disclosed section, at most MAX_CONTENT_CHARS.

    White space and numbers do not count, and neither does the section that names sources; see
    ``policy.standing.rule``, rule 4.
    """
    if disclosure.name == SOURCES:
        return 0
    texts = "".join(value for value in _values(disclosure.value) if isinstance(value, str))
    return min(len("".join(texts.split())), MAX_CONTENT_CHARS)


def _names(statement: Statement) -> list[str]:
    descriptor = statement.predicate.model_descriptor
    named = [descriptor.provider, descriptor.model, descriptor.version] if descriptor else []
    return [statement.subject[0].name, *named]


def _values(value: Any) -> list[str | int | float]:
    """Return the texts and numbers in a JSON value, without the names of its fields."""
    found: list[str | int | float] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(reversed(item.values()))
        elif isinstance(item, list):
            waiting.extend(reversed(item))
        elif isinstance(item, str | int | float) and not isinstance(item, bool):
            found.append(item)
    return found
