"""Markdown read into blocks, with the line on which each stands.

Blocks are found as CommonMark defines them, with the tables of GitHub; inline markup is left in the
text and taken out by ``plain`` only where a text is used, so that a large file costs little.
Invariant: a block's line is its line in the file; text beyond MAX_TEXT_CHARS, which no record could
hold, is cut off.
"""

from __future__ import annotations

import html
import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from comity.client.importing.blocks import Block, BlockKind
from comity.client.importing.html_blocks import HtmlReader
from comity.record.limits import MAX_TEXT_CHARS

MAX_INLINE_CHARS: Final = 16_384
"""Text whose markup is taken out: beyond it, nested brackets take seconds to match."""

_BLOCKS: Final = MarkdownIt("commonmark").enable("table").disable(["inline", "code"])
_INLINE: Final = MarkdownIt("commonmark").enable("strikethrough")
_REPORT_HEADER: Final = re.compile(r"\s*precision\s+recall\s+f1-score")
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>")
_MATH: Final = re.compile(r"\$\\?([^$\n]{1,40})\$")
_SPACED: Final = ("<br", "<sub", "<td", "<p")
_TRIVIAL: Final = re.compile(r"[^\[\]`*_<>&\\!~$\n]*")


def read_blocks(text: str, first_line: int) -> list[Block]:
    """Return the blocks of a Markdown text whose first line is number ``first_line``."""
    reader = _Reader(first_line)
    for token in _BLOCKS.parse(text):
        reader.take(token)
    reader.html.end()
    return reader.html.blocks


def plain(text: str) -> str:
    """Return inline Markdown as plain text on one line, without markup and images.

    Of text beyond MAX_INLINE_CHARS only the HTML tags are taken out.
    """
    if len(text) > MAX_INLINE_CHARS:
        return " ".join(_TAG.sub("", text).split())
    if _TRIVIAL.fullmatch(text):
        return " ".join(text.split())

    (inline,) = _INLINE.parseInline(text)
    parts: list[str] = []
    for token in inline.children or ():
        if token.type in ("text", "code_inline"):
            parts.append(token.content)
        elif token.type in ("softbreak", "hardbreak") or token.content.startswith(_SPACED):
            parts.append(" ")

    # a card's formulas are mostly single symbols ("$\alpha$"), which read well without the signs
    return " ".join(html.unescape(_MATH.sub(r"\1", "".join(parts))).split())


class _Reader:
    def __init__(self, first_line: int) -> None:
        self.html = HtmlReader()
        self._first = first_line
        self._lists = 0
        self._item_line = -1
        self._inside = ""
        self._level = 0
        self._rows: list[list[str]] = []
        self._table_line = 0

    def take(self, token: Token) -> None:
        line = self._first + (token.map[0] if token.map else 0)

        # (1) what holds text
        if token.type == "inline":
            self._inline(token.content, line)
        elif token.type == "html_block":
            self.html.read(token.content, line)
        elif token.type == "fence":
            self._report(token.content, line)

        # (2) what tells where the next text stands
        elif token.type == "heading_open":
            self._inside, self._level = "heading", int(token.tag[1])
        elif token.type == "heading_close":
            self._inside = ""
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            self._lists += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            self._lists -= 1
        elif token.type == "table_open":
            self._inside, self._table_line, self._rows = "table", line, []
        elif token.type == "tr_open":
            self._rows.append([])
        elif token.type == "table_close":
            self._inside = ""
            self._block(
                Block(BlockKind.TABLE, self._table_line, rows=tuple(map(tuple, self._rows)))
            )

    def _inline(self, content: str, line: int) -> None:
        content = content[:MAX_TEXT_CHARS]
        if self._inside == "table":
            self._rows[-1].append(content)
        elif self._inside == "heading":
            self._block(Block(BlockKind.HEADING, line, content.strip(), self._level))
        # CommonMark ends an HTML block at an empty line; a table that is open goes on
        elif self.html.in_table:
            self.html.read(content, line)
        elif self._lists:
            self._block(Block(BlockKind.ITEM, line, content, self._lists))
        else:
            self._block(Block(BlockKind.PARAGRAPH, line, content))

    def _block(self, block: Block) -> None:
        if block.kind is BlockKind.HEADING or block.text.strip() or block.rows:
            self.html.blocks.append(block)

    def _report(self, content: str, line: int) -> None:
        # scikit-learn's classification report is a table of scores in a code block
        lines = [part for part in content.split("\n") if part.strip()]
        if lines and len(lines) <= 200 and _REPORT_HEADER.match(lines[0]):
            rows = [["", *lines[0].split()]]
            rows += [re.split(r"\s{2,}", part.strip()) for part in lines[1:]]
            self._block(Block(BlockKind.TABLE, line, rows=tuple(map(tuple, rows))))
