"""HTML inside Markdown, read leniently into the same blocks as Markdown itself.

Cards mix HTML in: headings, ``<details>``, and whole score tables with row and column spans. What
matters here is structure and text; styles, scripts and comments are dropped. Invariant: one pass,
in time linear in the input, whatever is left open or nested wrongly.
"""

from __future__ import annotations

from html.parser import HTMLParser
from string import ascii_letters
from typing import Final

from comity.client.importing.blocks import Block, BlockKind
from comity.client.importing.html_tables import HtmlTable
from comity.record.limits import MAX_TEXT_CHARS

_HIDDEN: Final = frozenset({"script", "style"})
_INLINE: Final = {"br": " ", "b": "**", "strong": "**", "u": "**"}
"""Tags inside a text, start or end, by the Markdown that stands for them."""

_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_LISTS: Final = frozenset({"ul", "ol"})
_BREAKS: Final = _LISTS | {"p", "div", "details", "center", "blockquote", "hr"}
_TAG_START: Final = frozenset(ascii_letters + "/")

_Attributes = list[tuple[str, str | None]]


class HtmlReader(HTMLParser):
    """Turns runs of HTML into blocks. State is kept from one run to the next.

    CommonMark ends an HTML block at an empty line, in the middle of a table if need be.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[Block] = []
        self._first_line = 0
        self._line = 0
        self._hidden = ""
        self._text: list[str] = []
        self._kind = BlockKind.PARAGRAPH
        self._level = 0
        self._list_depth = 0
        self._table: HtmlTable | None = None

    @property
    def in_table(self) -> bool:
        """True while a table is open: Markdown that stands in it is part of the table too."""
        return self._table is not None

    def read(self, source: str, line: int) -> None:
        """Read a run of HTML (or text inside an open table) that starts at ``line``."""
        self.reset()
        self._first_line = self._line = line
        self._hidden = ""
        self.feed(_complete_tags_only(_without_comments(source)))
        self.close()
        if not self.in_table:
            self._end_block()

    def end(self) -> None:
        """End what is still open."""
        self._end_table()
        self._end_block()

    def handle_starttag(self, tag: str, attrs: _Attributes) -> None:
        """Begin what the tag begins (called by html.parser)."""
        self._line = self._first_line + self.getpos()[0] - 1
        if tag in _HIDDEN:
            self._hidden = tag
        elif not self._hidden:
            self._start(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: _Attributes) -> None:
        """Take ``<p/>`` for ``<p>``, as HTML does (called by html.parser)."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """End what the tag ends (called by html.parser)."""
        self._line = self._first_line + self.getpos()[0] - 1
        if tag in _HIDDEN:
            self._hidden = ""
        elif not self._hidden:
            self._end(tag)

    def handle_data(self, data: str) -> None:
        """Add text, its character references replaced (called by html.parser)."""
        if self._hidden:
            return
        if self._table:
            self._table.add(data)
        else:
            self._text.append(data)

    def _start(self, tag: str, attributes: _Attributes) -> None:
        if tag in _INLINE:
            self.handle_data(_INLINE[tag])
        elif tag == "table":
            self._end_table()
            self._end_block()
            self._table = HtmlTable(self._line)
        elif self._table:
            self._table.start(tag, dict(attributes))
        elif tag in _HEADINGS:
            self._begin_block(BlockKind.HEADING, _HEADINGS[tag])
        elif tag == "li":
            self._begin_block(BlockKind.ITEM, max(self._list_depth, 1))
        elif tag == "summary":
            # the title of <details> reads as a line in bold, which opens a passage
            self.handle_data("**")
        elif tag in _BREAKS:
            self._list_depth += tag in _LISTS
            self._begin_block(BlockKind.PARAGRAPH)

    def _end(self, tag: str) -> None:
        if tag in _INLINE:
            self.handle_data(_INLINE[tag])
        elif tag == "table":
            self._end_table()
        elif self._table:
            return
        elif tag == "summary":
            self.handle_data("**")
            self._end_block()
        # text behind the end of a heading or an item is a paragraph again
        elif tag in _BREAKS or tag in _HEADINGS or tag == "li":
            self._list_depth -= tag in _LISTS
            self._begin_block(BlockKind.PARAGRAPH)

    def _begin_block(self, kind: BlockKind, level: int = 0) -> None:
        self._end_block()
        self._kind, self._level = kind, level

    def _end_block(self) -> None:
        text = " ".join("".join(self._text).split())[:MAX_TEXT_CHARS]
        self._text.clear()
        if text.strip("* "):
            self.blocks.append(Block(self._kind, self._line, text, self._level))

    def _end_table(self) -> None:
        table, self._table = self._table, None
        if table and (rows := table.rows()):
            self.blocks.append(Block(BlockKind.TABLE, table.line, rows=rows))


def _complete_tags_only(source: str) -> str:
    # a "<" that no ">" closes sends html.parser to the end of the source, each time again
    first, *rest = source.split("<")
    return first + "".join(
        f"<{part}" if ">" in part and part[0] in _TAG_START else f"&lt;{part}" for part in rest
    )


def _without_comments(source: str) -> str:
    # line feeds stay, so that lines are still counted right; an open comment hides what follows
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
