"""What a card states: one statement for each bullet or paragraph, sorted by what it says.

Invariants: a statement is the source's own text with markup taken out, never a paraphrase; severity
and likelihood are left out, because no card of these formats states them on our scales. A bullet
that is only half a sentence keeps the words that introduce its list.
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
"""Under these a statement is one of them, whatever its words."""

_WIDER: Final = frozenset({Topic.INTENDED, Topic.CAPABILITY, Topic.EVALUATION})
"""What a heading may name beside limitations, so that not all under it is one."""

_HEEDED: Final = _FIRM | {Topic.OUT_OF_SCOPE, Topic.CAUTION, Topic.OTHER}
"""Under these no stray sentence is looked for."""

_TEXTS: Final = frozenset({BlockKind.PARAGRAPH, BlockKind.ITEM})
_NO_STATEMENT: Final = (":", "：", "?")
_USE_CHARS: Final = 400


@dataclass(frozen=True, slots=True)
class CardStatement:
    """One statement, and what its own words say about it.

    ``harm`` is the domain of the harm that it names: "" if unknown, None if it names none;
    ``limiting`` is True if it says that something does not work.
    """

    text: str
    is_bullet: bool
    harm: str | None
    limiting: bool

    @classmethod
    def of(cls, text: str, *, is_bullet: bool) -> CardStatement:
        """Judge a bullet or a paragraph by its words."""
        return cls(text, is_bullet, harm_in(text), bool(LIMITING.search(text)))


@dataclass(slots=True)
class SortedStatements:
    """What a card states, each statement once and in the card's order.

    ``risks`` gives each risk its domain: a code, or "" for a harm of no known domain.
    """

    limitations: dict[str, None] = field(default_factory=dict)
    risks: dict[str, str] = field(default_factory=dict)
    capabilities: dict[str, None] = field(default_factory=dict)
    intended: dict[str, None] = field(default_factory=dict)
    out_of_scope: dict[str, None] = field(default_factory=dict)

    def read(self, passage: Passage) -> bool:
        """Add what a passage states; return True if that was anything new."""
        before = self._count()

        # (1) each statement by its own words and the topics of the heading
        limits_and_risks = len(self.limitations) + len(self.risks)
        domain = harm_in(passage.heading) or UNSPECIFIED
        stated = list(statements_in(passage.blocks))
        for statement in stated:
            self._sort(statement, passage.topics, domain)

        # (2) no statement bears known words; the heading still says what they are
        if len(self.limitations) + len(self.risks) == limits_and_risks:
            self._trust_heading(stated, passage.topics, domain)

        # (3) under a heading that names none of these, the sentences that are outspoken
        if not passage.topics & _HEEDED:
            for block in passage.blocks:
                if block.kind in _TEXTS:
                    self._read_sentences(plain(block.text), passage.topics)
        return self._count() > before

    def _sort(self, statement: CardStatement, topics: frozenset[Topic], domain: str) -> None:
        firm = topics & _FIRM
        if Topic.OUT_OF_SCOPE in topics:
            self._sort_out_of_scope(statement)
        if Topic.RISK in topics:
            self._sort_risk(statement, domain, risks_only=firm == {Topic.RISK})
        if Topic.LIMITATION in topics:
            self._sort_limitation(statement, topics)

        # a heading that says it outright leaves nothing to judge
        if firm or Topic.OUT_OF_SCOPE in topics:
            return
        if Topic.CAUTION in topics:
            self._sort_caution(statement)
        elif Topic.INTENDED in topics:
            unfit = NOT_INTENDED.search(statement.text)
            (self.out_of_scope if unfit else self.intended).setdefault(statement.text)
        elif Topic.CAPABILITY in topics:
            self.capabilities.setdefault(statement.text)

    def _sort_out_of_scope(self, statement: CardStatement) -> None:
        text = statement.text
        self.out_of_scope.setdefault(text)
        if statement.harm and (statement.limiting or POSSIBLE.search(text)):
            self.risks.setdefault(text, statement.harm)
        if STRAY.search(text):
            self.limitations.setdefault(text)

    def _sort_risk(self, statement: CardStatement, domain: str, *, risks_only: bool) -> None:
        if statement.harm is not None:
            self.risks.setdefault(statement.text, statement.harm or domain)
        elif risks_only and domain != UNSPECIFIED:
            self.risks.setdefault(statement.text, domain)
        elif risks_only and statement.limiting:
            self._limit(statement.text)
        elif risks_only and statement.is_bullet:
            self.risks.setdefault(statement.text, domain)

    def _sort_limitation(self, statement: CardStatement, topics: frozenset[Topic]) -> None:
        if topics & _WIDER and not statement.limiting and statement.harm is None:
            # "Uses and limitations" holds uses too
            fits = self.intended if Topic.INTENDED in topics else self.capabilities
            fits.setdefault(statement.text)
        elif statement.limiting or statement.harm is None or Topic.RISK not in topics:
            self._limit(statement.text)

    def _sort_caution(self, statement: CardStatement) -> None:
        # among other things: a bullet is taken at its word, a paragraph only if it is outspoken
        text, harm = statement.text, statement.harm
        if statement.limiting if statement.is_bullet else STRAY.search(text):
            self._limit(text)
        elif harm is not None and POSSIBLE.search(text):
            self.risks.setdefault(text, harm or UNSPECIFIED)
        elif statement.is_bullet and CAPABLE.search(text):
            self.capabilities.setdefault(text)

    def _trust_heading(
        self, stated: list[CardStatement], topics: frozenset[Topic], domain: str
    ) -> None:
        for statement in stated:
            if Topic.LIMITATION in topics:
                self.limitations.setdefault(statement.text)
            elif Topic.RISK in topics and Topic.EVALUATION not in topics:
                self.risks.setdefault(statement.text, domain)

    def _read_sentences(self, text: str, topics: frozenset[Topic]) -> None:
        for sentence in map(str.strip, _SENTENCE.split(text)):
            if STRAY.search(sentence):
                if SUBJECT.search(sentence):
                    self._limit(sentence)
            elif not topics and CAPABLE.search(sentence) and not sentence.endswith(_NO_STATEMENT):
                self.capabilities.setdefault(sentence)

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
    """Return the domain of the harm that a text names: "" if unknown, None if it names none."""
    return next((code for words, code in _HARMS if words.search(text)), None)


def statements_in(blocks: list[Block]) -> Iterator[CardStatement]:
    """Yield the statements of a passage: each bullet, and each paragraph."""
    leads: dict[int, str] = {}
    for index, block in enumerate(blocks):
        if block.kind not in _TEXTS:
            leads.clear()
            continue

        # the introductions that still hold are those of the lists around this block
        depth = block.level if block.kind is BlockKind.ITEM else 0
        leads = {level: lead for level, lead in leads.items() if level < depth}

        # this block may introduce a list in its turn
        text, lead = _introduction(plain(block.text))
        follows = blocks[index + 1] if index + 1 < len(blocks) else None
        if lead and follows and follows.kind is BlockKind.ITEM and follows.level > depth:
            leads[depth] = lead

        if _says_something(text):
            led = " ".join((*leads.values(), text)) if depth else text
            yield CardStatement.of(led, is_bullet=block.kind is BlockKind.ITEM)


def _introduction(text: str) -> tuple[str, str]:
    # "Model may:" goes in front of each bullet; of a longer introduction what precedes it stays
    if not text.endswith((":", "：")):
        return text, ""
    *before, last = _SENTENCE.split(text)
    return " ".join(before), "" if before or len(last) > _INTRODUCTION_CHARS else last


def _says_something(text: str) -> bool:
    bare = text.strip(" *_()[].")
    return len(bare) >= _MIN_CHARS and bool(_WORD.search(bare)) and not FILLER.fullmatch(bare)
