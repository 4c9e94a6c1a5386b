"""HTML inside Markdown, read leniently into the same blocks as Markdown itself.

Cards mix HTML in: headings, ``<details>``, and whole score tables with row and column spans. What
matters here is structure and text; styles, scripts and comments are dropped. Invariant: one pass,
in time linear in the input, whatever is left open or nested wrongly.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from comity.record.limits import MAX_TEXT_CHARS

MAX_SPAN: Final = 64
"""Columns or rows that one table cell may span: score tables have some dozens."""

MAX_CELLS: Final = 20_000
"""Cells of one table after spans are filled in: bounds what a short file can unfold to."""

_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>")
_SPAN: Final = re.compile(r"(col|row)span\s*=\s*[\"']?(\d{1,3})")
_HIDDEN: Final = ("script", "style")
_BREAKS: Final = frozenset({"p", "div", "details", "center", "ul", "ol", "blockquote", "hr"})
_BOLD: Final = frozenset({"b", "strong", "u"})


class Kind(Enum):
    """What a block is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document.

    ``text`` is inline Markdown; ``line`` is counted from 1; ``level`` is the rank of a heading (1
    to 6) or the depth of a list item (from 1); ``rows`` are a table's cells, header first.
    """

    kind: Kind
    line: int
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(slots=True)
class _Cell:
    columns: int = 1
    rows: int = 1
    text: str = ""


@dataclass(slots=True)
class HtmlReader:
    """Turns runs of HTML into blocks. State is kept from one run to the next.

    CommonMark ends an HTML block at an empty line, in the middle of a table if need be.
    """

    blocks: list[Block] = field(default_factory=list)
    in_table: bool = False
    _text: list[str] = field(default_factory=list)
    _kind: Kind = Kind.PARAGRAPH
    _level: int = 0
    _depth: int = 0
    _line: int = 0
    _table_line: int = 0
    _rows: list[list[_Cell]] = field(default_factory=list)

    def feed(self, source: str, line: int) -> None:
        """Read a run of HTML (or text inside an open table) that starts at ``line``."""
        self._line = line
        source, position, hidden = _without_comments(source), 0, ""
        for match in _TAG.finditer(source):
            between = source[position : match.start()]
            if not hidden:
                self._add(between)
            self._line += source.count("\n", position, match.end())
            position = match.end()
            name = match[2].lower()
            if name in _HIDDEN:
                hidden = "" if match[1] else name
            elif not hidden:
                self._tag(name, bool(match[1]), match[3])
        if not hidden:
            self._add(source[position:])
        if not self.in_table:
            self._flush()

    def close(self) -> None:
        """End what is still open."""
        self._end_table()
        self._flush()

    def _add(self, text: str) -> None:
        text = html.unescape(text)
        if not self.in_table:
            self._text.append(text)
        elif self._rows and self._rows[-1]:
            self._rows[-1][-1].text += text

    def _tag(self, name: str, closing: bool, attributes: str) -> None:
        if name == "br":
            self._add(" ")
        elif name in _BOLD:
            self._add("**")
        elif name == "table":
            self._end_table() if closing else self._start_table()
        elif self.in_table:
            self._table_tag(name, closing, attributes)
        elif name in {"h1", "h2", "h3", "h4", "h5", "h6"}:
            self._switch(Kind.PARAGRAPH if closing else Kind.HEADING, int(name[1]))
        elif name == "li":
            self._switch(Kind.PARAGRAPH if closing else Kind.ITEM, max(self._depth, 1))
        elif name == "summary":
            self._add("**")
            if closing:
                self._flush()
        elif name in _BREAKS:
            self._depth += 0 if name not in {"ul", "ol"} else -1 if closing else 1
            self._switch(Kind.PARAGRAPH, 0)

    def _switch(self, kind: Kind, level: int) -> None:
        self._flush()
        self._kind, self._level = kind, level

    def _flush(self) -> None:
        text = " ".join("".join(self._text).split())[:MAX_TEXT_CHARS]
        self._text.clear()
        if text.strip("* "):
            self.blocks.append(Block(self._kind, self._line, text, self._level))

    def _start_table(self) -> None:
        self._end_table()
        self._flush()
        self.in_table, self._table_line = True, self._line

    def _table_tag(self, name: str, closing: bool, attributes: str) -> None:
        if name == "tr" and not closing:
            self._rows.append([])
        elif name in {"td", "th"} and not closing:
            spans = {kind: int(number) for kind, number in _SPAN.findall(attributes)}
            if not self._rows:
                self._rows.append([])
            columns, rows = spans.get("col", 1), spans.get("row", 1)
            self._rows[-1].append(_Cell(min(columns, MAX_SPAN), min(rows, MAX_SPAN)))

    def _end_table(self) -> None:
        if self.in_table:
            self.in_table = False
            rows = _filled(self._rows)
            self._rows.clear()
            if rows:
                self.blocks.append(Block(Kind.TABLE, self._table_line, rows=rows))


def _filled(rows: list[list[_Cell]]) -> tuple[tuple[str, ...], ...]:
    # a cell that spans is repeated in every place that it covers
    grid: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}
    cells = 0
    for row in rows:
        line: list[str] = []
        queue = list(row)
        while queue or len(line) in below:
            if len(line) in below:
                left, text = below.pop(len(line))
                if left > 1:
                    below[len(line)] = (left - 1, text)
                line.append(text)
                continue
            cell = queue.pop(0)
            text = " ".join(cell.text.split())
            for _ in range(max(cell.columns, 1)):
                if cell.rows > 1:
                    below[len(line)] = (cell.rows - 1, text)
                line.append(text)
        cells += len(line)
        if cells > MAX_CELLS:
            break
        if line:
            grid.append(line)
    return tuple(tuple(line) for line in grid)


def _without_comments(source: str) -> str:
    parts: list[str] = []
    position = 0
    while (start := source.find("<!--", position)) >= 0:
        parts.append(source[position:start])
        end = source.find("-->", start)
        if end < 0:
            return "".join(parts)
        parts.append("\n" * source.count("\n", start, end))
        position = end + 3
    return "".join(parts) + source[position:]
