"""The passages of a card: the blocks under each heading, and the topics that the heading names.

A heading need not be one in Markdown: a line in bold, or a short line that is nothing but a known
heading ("Limitations"), opens a passage too, and so does a bold lead-in ("**Out-of-scope** Use
in …"). Invariants: every block belongs to exactly one passage; a passage whose own heading names no
topic takes over those of the heading above it where they carry on (risks, limitations, results).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from comity.client.importing.blocks import Block, BlockKind
from comity.client.importing.heading_words import HEADINGS, NOT_ABOUT_THE_MODEL, Topic
from comity.client.importing.markdown import plain
from comity.record.limits import MAX_LINE_CHARS

_HEADING_CHARS: Final = 120
_PSEUDO_CHARS: Final = 48
_PSEUDO_LEVEL: Final = 7
_NUMBERING: Final = re.compile(r"^[\W\d_]*(?:[ivx]+\.)?[\W\d_]*")
_LEAD_IN: Final = re.compile(
    r"\s*(?:\*\*|__)(?P<bold>[^*_\n][^*\n]{0,78}?):?\s*(?:\*\*|__)\s*:?\s*(?P<rest>.*)", re.DOTALL
)
_UNDERLINED: Final = re.compile(r"\s*<(?:span|u)\b[^<>]*>([^<>\n]{1,80})</(?:span|u)>(.{0,80})")
_INHERITED: Final = frozenset(
    {Topic.LIMITATION, Topic.RISK, Topic.CAUTION, Topic.CAPABILITY, Topic.EVALUATION, Topic.OTHER}
)
_OUTSPOKEN: Final = frozenset({Topic.LIMITATION, Topic.OUT_OF_SCOPE})
_SYMBOLS: Final = frozenset("•●▪◦‣·–—✓✔✗★☆")


@dataclass(slots=True)
class Passage:
    """A heading and the blocks under it, up to the next heading of any rank.

    ``heading`` is plain text, empty for what stands before the first; ``line`` is its line from 1
    and ``end`` the last line of the passage; ``level`` its rank, 7 for a heading that Markdown does
    not know; ``section`` is the nearest heading at or above it that Markdown does know.
    """

    heading: str
    line: int
    level: int
    topics: frozenset[Topic]
    blocks: list[Block] = field(default_factory=list)
    end: int = 0
    section: str = ""

    @property
    def text_line(self) -> int:
        """The first line of its text: below a heading, but on the line of a lead-in."""
        return self.line if self.level in (0, _PSEUDO_LEVEL) else self.line + 1


def passages_of(blocks: list[Block], last_line: int) -> list[Passage]:
    """Group blocks into passages; ``last_line`` is the number of the file's last line."""
    found = [Passage("", 1, 0, frozenset())]
    above: list[Passage] = []
    for block in (part for whole in blocks for part in _split(whole)):
        heading = _heading_of(block)
        if heading is None:
            found[-1].blocks.append(block)
            continue

        # the headings that this one stands under
        level = block.level if block.kind is BlockKind.HEADING else _PSEUDO_LEVEL
        while above and above[-1].level >= level:
            above.pop()
        inherited = above[-1].topics & _INHERITED if above else frozenset()

        topics = topics_of(heading) or inherited
        if level == _PSEUDO_LEVEL and inherited == {Topic.OTHER} and not topics & _OUTSPOKEN:
            # "**Privacy**" in a taxonomy of hazards is a hazard's name, not a risk of this model
            topics = inherited

        section = heading if level < _PSEUDO_LEVEL else found[-1].section
        found[-1].end = max(block.line - 1, found[-1].line)
        found.append(Passage(heading, block.line, level, topics, section=section))
        above.append(found[-1])
        if rest := _rest_of(block):
            found[-1].blocks.append(rest)

    found[-1].end = last_line
    return found


@lru_cache(maxsize=4096)
def topics_of(heading: str) -> frozenset[Topic]:
    """Return the topics that a heading names; empty if it names none."""
    text = normal(heading)
    if not text or len(text) > _HEADING_CHARS:
        return frozenset()

    topics = frozenset(topic for topic, words in HEADINGS.items() if words.search(text))
    firm = topics & {Topic.LIMITATION, Topic.RISK, Topic.OUT_OF_SCOPE, Topic.INTENDED}
    if NOT_ABOUT_THE_MODEL.search(text) and not topics & {Topic.LIMITATION, Topic.OUT_OF_SCOPE}:
        return frozenset({Topic.OTHER})

    # "out-of-scope use" is no intended use; what is named outright needs no caution
    if Topic.OUT_OF_SCOPE in topics:
        topics -= {Topic.INTENDED}
    return topics - {Topic.CAUTION} if firm else topics


def normal(heading: str) -> str:
    """Return a heading in lower case, without numbering, emoji and final punctuation."""
    text = unicodedata.normalize("NFKC", heading).casefold()
    return _NUMBERING.sub("", " ".join(text.split())).rstrip(" .:：#*_-?？")


def _heading_of(block: Block) -> str | None:
    if block.kind is BlockKind.HEADING:
        return plain(block.text)[:MAX_LINE_CHARS]
    if block.kind is not BlockKind.PARAGRAPH:
        return None

    # a line in bold or underlined, or a bold lead-in that names a topic
    if match := _UNDERLINED.fullmatch(block.text):
        return plain(match[1] + match[2])
    match = _LEAD_IN.fullmatch(block.text)
    if match and (_is_title(match["bold"]) if not match["rest"] else topics_of(match["bold"])):
        return plain(match["bold"])

    text = block.text.strip()
    if len(text) <= _PSEUDO_CHARS and "\n" not in text and _is_known(text):
        return plain(text)
    return None


def _rest_of(block: Block) -> Block | None:
    match = _LEAD_IN.fullmatch(block.text) if block.kind is BlockKind.PARAGRAPH else None
    if match and match["rest"].strip():
        return Block(BlockKind.PARAGRAPH, block.line, match["rest"])
    return None


def _is_title(text: str) -> bool:
    return not text.rstrip().endswith((".", "!", "。", ","))


def _is_known(line: str) -> bool:
    # "Limitations" alone is a heading; a sentence that speaks of limitations is not
    words = plain(line).split()
    if line.endswith((":", "：")) and len(words) <= 2 and Topic.CAUTION in topics_of(line):
        return True
    firm = {Topic.LIMITATION, Topic.RISK, Topic.OUT_OF_SCOPE, Topic.INTENDED, Topic.CAPABILITY}
    return len(words) <= 5 and _is_title(line) and bool(topics_of(line) & firm)


def _split(block: Block) -> Iterator[Block]:
    # a paragraph may hide a list (lines that open with a symbol) or a heading in its first line
    if block.kind is not BlockKind.PARAGRAPH or "\n" not in block.text:
        yield block
        return

    run: list[str] = []
    start = block.line
    for number, line in enumerate(block.text.split("\n"), block.line):
        item = _is_symbol_item(line)
        if item or (not run and _is_known(line)):
            # what stood before the line is a paragraph of its own
            if run:
                yield Block(BlockKind.PARAGRAPH, start, "\n".join(run))
            run, start = [], number + 1
            kind, level = (BlockKind.ITEM, 1) if item else (BlockKind.PARAGRAPH, 0)
            yield Block(kind, number, line.lstrip()[1:].lstrip("\ufe0f ") if item else line, level)
        else:
            run.append(line)

    if run:
        yield Block(BlockKind.PARAGRAPH, start, "\n".join(run))


def _is_symbol_item(line: str) -> bool:
    first = line.lstrip()[:1]
    return bool(first) and (first in _SYMBOLS or unicodedata.category(first) == "So")
