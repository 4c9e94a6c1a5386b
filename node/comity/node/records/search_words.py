"""The words of a record in which search looks, in lower case.

Invariant: the words of a part are at most MAX_WORDS_CHARS, whatever its section holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from comity.record.record import OpenedRecord

SOURCES: Final = "sources"
"""The section that names the sources of a record's content; it adds no content itself."""

MAX_WORDS_CHARS: Final = 65_536
"""Characters after which text is cut: search finds a record, and need not read all of it."""


def model_words(opened: OpenedRecord) -> str:
    """Return the subject's name and the model's provider, name and version, one a line."""
    statement = opened.statement
    words = [statement.subject[0].name]
    descriptor = statement.predicate.model_descriptor
    if descriptor:
        words += [descriptor.provider, descriptor.model, descriptor.version]
    return "\n".join(words).lower()


def header_words(opened: OpenedRecord) -> str:
    """Return the title and summary in every language, and the tags, one a line."""
    predicate = opened.statement.predicate
    return _join([*predicate.title.values(), *predicate.summary.values(), *predicate.tags])


def section_words(opened: OpenedRecord, index: int) -> tuple[str, int]:
    """Return all texts of a disclosed section, one a line, and its characters of content.

    White space does not count as content, and neither does the section that names sources; see
    ``policy.standing.rule``, rule 4. Both are at most MAX_WORDS_CHARS.
    """
    disclosure = opened.disclosures[index]
    texts = _texts(disclosure.value)
    content = 0 if disclosure.name == SOURCES else len("".join("".join(texts).split()))
    return _join(texts), min(content, MAX_WORDS_CHARS)


def _join(texts: Iterable[str]) -> str:
    return "\n".join(texts).lower()[:MAX_WORDS_CHARS]


def _texts(value: Any) -> list[str]:
    """Return the strings in a JSON value, without the names of its fields."""
    found: list[str] = []
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is str:
            found.append(item)
        elif type(item) is dict:
            waiting.extend(item.values())
        elif type(item) is list:
            waiting.extend(reversed(item))
    return found
