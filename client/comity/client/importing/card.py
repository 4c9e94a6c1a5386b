"""A model card taken apart: front matter, blocks, passages, facts, and the model it describes.

Invariant: lines are counted from 1 in the file as it was handed in, so that an excerpt and a
refusal name the line that an editor shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from comity.client.importing.blocks import Block, BlockKind
from comity.client.importing.facts import facts_in
from comity.client.importing.frontmatter import read_card_file
from comity.client.importing.markdown import plain, read_blocks
from comity.client.importing.model_identity import ModelIdentity, identify, language_of
from comity.client.importing.passages import Passage, passages_of
from comity.record.kinds.model_card import Excerpt
from comity.record.limits import MAX_LINE_CHARS, MAX_TEXT_CHARS, Limit

MAX_LINES: Final = Limit("MAX_LINES", 20_000, "lines")
"""Lines of a card: a dozen times the longest seen; each may become several blocks."""

MAX_BARS: Final = Limit("MAX_BARS", 50_000, "bars")
"""Bars ("|") in a card: ninety times the most seen; each may make a cell of a table."""

_SUMMARY_CHARS: Final = 1000
_LANGUAGE_BLOCKS: Final = 400


@dataclass(frozen=True, slots=True)
class Card:
    """The parts of a card. ``lines`` are those below the front matter, each at most 64 Ki long."""

    path: PurePath
    sha256: str
    has_front_matter: bool
    metadata: Mapping[str, Any]
    first_line: int
    lines: list[str]
    blocks: list[Block]
    passages: list[Passage]
    facts: Mapping[str, str]
    identity: ModelIdentity

    @classmethod
    def read(cls, data: bytes, path: PurePath) -> Card:
        """Take a card apart.

        Raises:
            LimitExceeded: more than MAX_LINES lines or MAX_BARS bars, or too much front matter.
            InvalidInput: not UTF-8, or not a model card; ``field`` names the line or the field.
        """
        file = read_card_file(data)
        lines = [line[:MAX_TEXT_CHARS] for line in file.body.split("\n")]
        MAX_LINES.check(len(lines))
        MAX_BARS.check(file.body.count("|"))

        blocks = read_blocks("\n".join(lines), file.first_line)
        found = passages_of(blocks, file.first_line + len(lines) - 1)
        stated = facts_in(found)
        return cls(
            path=path,
            sha256=hashlib.sha256(data).hexdigest(),
            has_front_matter=file.metadata is not None,
            metadata=file.metadata or {},
            first_line=file.first_line,
            lines=lines,
            blocks=blocks,
            passages=found,
            facts=stated,
            identity=identify(path, file.metadata, blocks, stated),
        )

    def cut_lines(self) -> list[int]:
        """Return the numbers of the lines whose text was longer than a record may hold."""
        cut = {block.line for block in self.blocks if len(block.text) == MAX_TEXT_CHARS}
        numbered = enumerate(self.lines, self.first_line)
        return sorted(cut | {n for n, line in numbered if len(line) == MAX_TEXT_CHARS})

    def summary(self) -> str:
        """Return the first paragraph that is more than a few words, else the title."""
        for block in self.blocks:
            text = plain(block.text) if block.kind is BlockKind.PARAGRAPH else ""
            # eight words, or their length in a script that puts no spaces between words
            if len(text.split()) >= 8 or len(text) >= 40:
                return text[:_SUMMARY_CHARS]
        return self.identity.title

    def language(self) -> str:
        """Return the BCP 47 tag of the language that the card is written in."""
        prose = (b.text for b in self.blocks[:_LANGUAGE_BLOCKS] if b.kind is not BlockKind.TABLE)
        return language_of(" ".join(prose))

    def place(self, line: int) -> str:
        """Return the file's name and a line in it, as the source of a score."""
        return f"{self.path.name[-MAX_LINE_CHARS // 2 :]}, line {line}"

    def excerpt(self, passage: Passage) -> Excerpt | None:
        """Return a passage's raw text under its heading, or None if it is blank."""
        start = passage.text_line - self.first_line
        end = passage.end - self.first_line + 1
        raw = "\n".join(self.lines[max(start, 0) : end]).strip("\n")
        if not raw.strip():
            return None
        heading = (passage.heading or self.identity.title)[:MAX_LINE_CHARS]
        return Excerpt(heading=heading, line=passage.line, text=raw[:MAX_TEXT_CHARS])
