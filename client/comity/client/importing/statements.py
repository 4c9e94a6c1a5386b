"""Statements: what a passage says, one bullet or paragraph each, and what kind of saying it is.

Invariants: a statement is the source's own text with markup taken out, never a paraphrase; severity
and likelihood are left out, because no card of these formats states them on a scale of ours. A
bullet that is only half a sentence keeps the words that introduce its list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from comity.client.importing.blocks import Block, BlockKind
from comity.client.importing.heading_words import Topic
from comity.client.importing.markdown import plain
from comity.client.importing.passages import Passage
from comity.client.importing.statement_words import (
    CAPABLE,
    FILLER,
    HARMS,
    LIMITING,
    NOT_INTENDED,
    POSSIBLE,
    STRAY,
    SUBJECT,
)

UNSPECIFIED: Final = "unspecified"
_INTRODUCTION_CHARS: Final = 80
_MIN_CHARS: Final = 3
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[^a-z])|(?<=[。！？])")
_HARMS: Final = tuple((re.compile(words, re.IGNORECASE), code) for words, code in HARMS)
_WORD: Final = re.compile(r"[^\W\d_]{2}|[\u3040-\u9fff\uac00-\ud7af]")
_FIRM: Final = frozenset({Topic.LIMITATION, Topic.RISK})
_WIDER: Final = frozenset({Topic.INTENDED, Topic.CAPABILITY, Topic.EVALUATION})
_HEEDED: Final = _FIRM | {Topic.OUT_OF_SCOPE, Topic.CAUTION, Topic.OTHER}
_USE_CHARS: Final = 400


@dataclass(frozen=True, slots=True)
class Statement:
    """One saying: its text, and whether it stood as a bullet."""

    text: str
    bullet: bool


@dataclass(slots=True)
class Findings:
    """What a card states, each statement once and in the card's order; risks with their domain."""

    limitations: dict[str, None] = field(default_factory=dict)
    risks: dict[str, str] = field(default_factory=dict)
    capabilities: dict[str, None] = field(default_factory=dict)
    intended: dict[str, None] = field(default_factory=dict)
    out_of_scope: dict[str, None] = field(default_factory=dict)

    def read(self, passage: Passage) -> bool:
        """Add what a passage states; tells whether it stated anything."""
        before = self._count()
        stated = len(self.limitations) + len(self.risks)
        about = harm_in(passage.heading) or UNSPECIFIED
        said = list(statements(passage.blocks))
        for statement in said:
            self._sort(statement, passage.topics, about)
        if len(self.limitations) + len(self.risks) == stated:
            # no statement bears known words; the heading still says what they are
            self._trust_heading(said, passage.topics, about)
        self._read_stray(passage)
        return self._count() > before

    def _read_stray(self, passage: Passage) -> None:
        # sentences that state a limitation or a capability under a heading that names none
        for block in passage.blocks if not passage.topics & _HEEDED else ():
            if block.kind in (BlockKind.PARAGRAPH, BlockKind.ITEM):
                for sentence in map(str.strip, _SENTENCE.split(plain(block.text))):
                    self._sort_stray(sentence, passage.topics)

    def _sort_stray(self, sentence: str, topics: frozenset[Topic]) -> None:
        if STRAY.search(sentence):
            if SUBJECT.search(sentence):
                self._limit(sentence)
        elif not topics and CAPABLE.search(sentence) and not sentence.endswith((":", "：", "?")):
            self.capabilities.setdefault(sentence)

    def _sort(self, statement: Statement, topics: frozenset[Topic], about: str) -> None:
        text, harm = statement.text, harm_in(statement.text)
        limiting = bool(LIMITING.search(text))
        firm = topics & _FIRM
        if Topic.OUT_OF_SCOPE in topics:
            self.out_of_scope.setdefault(text)
            if harm and (limiting or POSSIBLE.search(text)):
                self.risks.setdefault(text, harm)
            if STRAY.search(text):
                self.limitations.setdefault(text)
        if Topic.RISK in firm and harm is not None:
            self.risks.setdefault(text, harm or about)
        elif firm == {Topic.RISK} and about != UNSPECIFIED:
            self.risks.setdefault(text, about)
        elif firm == {Topic.RISK} and limiting:
            self._limit(text)
        elif firm == {Topic.RISK} and statement.bullet:
            self.risks.setdefault(text, about)
        if Topic.LIMITATION in firm:
            self._sort_limitation(text, topics, limiting, harm)
        elif firm or Topic.OUT_OF_SCOPE in topics:
            return
        elif Topic.CAUTION in topics:
            self._sort_caution(statement, limiting, harm)
        elif Topic.INTENDED in topics:
            unfit = NOT_INTENDED.search(text)
            (self.out_of_scope if unfit else self.intended).setdefault(text)
        elif Topic.CAPABILITY in topics:
            self.capabilities.setdefault(text)

    def _sort_limitation(
        self, text: str, topics: frozenset[Topic], limiting: bool, harm: str | None
    ) -> None:
        if topics & _WIDER and not limiting and harm is None:
            kind = self.intended if Topic.INTENDED in topics else self.capabilities
            kind.setdefault(text)
        elif limiting or harm is None or Topic.RISK not in topics:
            self._limit(text)

    def _sort_caution(self, statement: Statement, limiting: bool, harm: str | None) -> None:
        # among other things: a bullet is taken at its word, a paragraph only if it is outspoken
        text = statement.text
        if limiting if statement.bullet else STRAY.search(text):
            self._limit(text)
        elif harm is not None and POSSIBLE.search(text):
            self.risks.setdefault(text, harm or UNSPECIFIED)
        elif statement.bullet and CAPABLE.search(text):
            self.capabilities.setdefault(text)

    def _trust_heading(self, said: list[Statement], topics: frozenset[Topic], about: str) -> None:
        for statement in said:
            if Topic.LIMITATION in topics:
                self.limitations.setdefault(statement.text)
            elif Topic.RISK in topics and Topic.EVALUATION not in topics:
                self.risks.setdefault(statement.text, about)

    def _limit(self, text: str) -> None:
        if len(text) <= _USE_CHARS and NOT_INTENDED.search(text):
            self.out_of_scope.setdefault(text)
        self.limitations.setdefault(text)
        if harm := harm_in(text):
            self.risks.setdefault(text, harm)

    def _count(self) -> int:
        kinds = (self.limitations, self.risks, self.capabilities, self.intended, self.out_of_scope)
        return sum(len(kind) for kind in kinds)


def harm_in(text: str) -> str | None:
    """Return the risk domain that a text names: a code, "" for no known one, None for no harm."""
    return next((code for words, code in _HARMS if words.search(text)), None)


def statements(blocks: list[Block]) -> Iterator[Statement]:
    """Yield the statements of a passage: each bullet, and each paragraph."""
    leads: dict[int, str] = {}
    for index, block in enumerate(blocks):
        if block.kind not in (BlockKind.PARAGRAPH, BlockKind.ITEM):
            leads.clear()
            continue
        depth = block.level if block.kind is BlockKind.ITEM else 0
        leads = {level: lead for level, lead in leads.items() if level < depth}
        text, lead = _introduction(plain(block.text))
        follows = blocks[index + 1] if index + 1 < len(blocks) else None
        if lead and follows and follows.kind is BlockKind.ITEM and follows.level > depth:
            leads[depth] = lead
        if _says_something(text):
            led = " ".join((*leads.values(), text)) if depth else text
            yield Statement(led, block.kind is BlockKind.ITEM)


def _introduction(text: str) -> tuple[str, str]:
    # "Model may:" goes in front of each bullet; of a longer introduction what precedes it stays
    if not text.endswith((":", "：")):
        return text, ""
    *before, last = _SENTENCE.split(text)
    return " ".join(before), "" if before or len(last) > _INTRODUCTION_CHARS else last


def _says_something(text: str) -> bool:
    bare = text.strip(" *_()[].")
    return len(bare) >= _MIN_CHARS and bool(_WORD.search(bare)) and not FILLER.fullmatch(bare)
