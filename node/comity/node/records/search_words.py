"""The words of a record that search looks in, lower-case.

Invariant: bounded by MAX_WORDS_CHARS a record, whatever its sections hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from comity.record.record import OpenedRecord

SOURCES: Final = "sources"
"""The section that says where a record's content was taken from, and adds none."""

MAX_WORDS_CHARS: Final = 65_536
"""Longer text is cut: search is for finding a record, not for reading it."""


def model_words(opened: OpenedRecord) -> str:
    """Return the subject's name and the model's provider, name and version."""
    statement = opened.statement
    words = [statement.subject[0].name]
    descriptor = statement.predicate.model_descriptor
    if descriptor:
        words += [descriptor.provider, descriptor.model, descriptor.version]
    return "\n".join(words).lower()


def header_words(opened: OpenedRecord) -> str:
    """Return title and summary in every language, and the tags."""
    predicate = opened.statement.predicate
    return _join([*predicate.title.values(), *predicate.summary.values(), *predicate.tags])


def section_words(opened: OpenedRecord, index: int) -> tuple[str, int]:
    """Return every text in a disclosed section, and how many characters of content that is.

    White space is no content.
    """
    disclosure = opened.disclosures[index]
    texts = _texts(disclosure.value)
    content = 0 if disclosure.name == SOURCES else len("".join("".join(texts).split()))
    return _join(texts), min(content, MAX_WORDS_CHARS)


def _join(texts: Iterable[str]) -> str:
    return "\n".join(texts).lower()[:MAX_WORDS_CHARS]


def _texts(value: Any) -> list[str]:
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
