"""What of a record matched a search: short passages, with the places of the words in them.

Invariants: passages are cut from the record that was verified, never taken from the node; at most
MAX_MATCHES of them, and only the first MAX_READ_CHARS of a record are read for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from comity.client.verify.record_view import RecordView
from comity.record.search_terms import Phrase, find_spans, parse_query

MAX_MATCHES: Final = 3
MAX_READ_CHARS: Final = 65_536

_CONTEXT_CHARS: Final = 30
"""Characters that are shown before and after what matched."""


@dataclass(frozen=True, slots=True)
class Match:
    """A passage that matched: ``section`` is a section's label, or title, summary, tags, subject.

    ``spans`` are the places of what matched, as (start, end) of the characters of ``text``.
    """

    section: str
    text: str
    spans: tuple[tuple[int, int], ...]

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        spans = [list(span) for span in self.spans]
        return {"section": self.section, "text": self.text, "spans": spans}


def find_matches(view: RecordView, queries: Sequence[str]) -> tuple[Match, ...]:
    """Return the first passages of a record in which a term of a query occurs.

    Raises:
        InvalidInput: as ``parse_query``, which a node has refused before.
    """
    phrases = [phrase for query in queries for phrase in parse_query(query)]
    found: list[Match] = []
    left = MAX_READ_CHARS
    for section, text in _texts(view) if phrases else ():
        if len(found) == MAX_MATCHES or left <= 0:
            break
        found += _passage(section, text[:left], phrases)
        left -= len(text)
    return tuple(found)


def _passage(section: str, text: str, phrases: Sequence[Phrase]) -> Iterator[Match]:
    """Yield the passage around the first match of a text, if there is one."""
    spans = find_spans(text, phrases)
    if not spans:
        return
    start = max(0, spans[0][0] - _CONTEXT_CHARS)
    end = min(len(text), spans[0][1] + _CONTEXT_CHARS)
    before, after = "…" * (start > 0), "…" * (end < len(text))
    moved = len(before) - start
    inside = [(a + moved, b + moved) for a, b in spans if b <= end]

    # a passage is one line, and each character of it stays in its place
    passage = "".join(" " if char.isspace() else char for char in text[start:end])
    yield Match(section, before + passage + after, tuple(inside))


def _texts(view: RecordView) -> Iterator[tuple[str, str]]:
    predicate = view.statement.predicate
    yield from (("title", text) for text in predicate.title.values())
    yield from (("summary", text) for text in predicate.summary.values())
    yield from (("tags", tag) for tag in predicate.tags)
    yield "subject", view.statement.subject[0].name
    for section in view.sections:
        yield from ((section.label, text) for text in _strings(section.content))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
