"""Tables in HTML: cells that span rows or columns are repeated in every place that they cover.

Invariant: a table unfolds to at most MAX_CELLS cells, whatever its cells claim to span.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_SPAN: Final = 64
"""Columns or rows that one table cell may span: score tables have some dozens."""

MAX_CELLS: Final = 20_000
"""Cells of one table after spans are filled in: bounds what a short file can unfold to."""


@dataclass(slots=True)
class _Cell:
    columns: int
    rows: int
    parts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class HtmlTable:
    """A table as its tags are read; ``line`` is the line of its start tag, from 1."""

    line: int
    _rows: list[list[_Cell]] = field(default_factory=list)

    def start(self, tag: str, attributes: Mapping[str, str | None]) -> None:
        """Begin a row or a cell; every other tag inside a table says nothing."""
        if tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            if not self._rows:
                self._rows.append([])
            columns, rows = (_span(attributes.get(name)) for name in ("colspan", "rowspan"))
            self._rows[-1].append(_Cell(columns, rows))

    def add(self, text: str) -> None:
        """Add text to the cell that was begun last; text outside of all cells is dropped."""
        if self._rows and self._rows[-1]:
            self._rows[-1][-1].parts.append(text)

    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Return the text of the cells, row by row; rows beyond MAX_CELLS cells are dropped."""
        grid: list[tuple[str, ...]] = []
        below: dict[int, tuple[int, str]] = {}
        room = MAX_CELLS
        for cells in self._rows:
            line = _filled(cells, below, room)
            room -= len(line)
            if room < 0:
                break
            if line:
                grid.append(tuple(line))
        return tuple(grid)


def _filled(cells: list[_Cell], below: dict[int, tuple[int, str]], room: int) -> list[str]:
    # ``below`` holds, by column, what reaches down from the rows above: for how many rows, and what
    line: list[str] = []
    waiting = deque(cells)
    while len(line) <= room and (waiting or len(line) in below):
        if len(line) in below:
            left, text = below.pop(len(line))
            if left > 1:
                below[len(line)] = (left - 1, text)
            line.append(text)
            continue

        cell = waiting.popleft()
        text = " ".join("".join(cell.parts).split())
        if cell.rows > 1:
            columns = range(len(line), len(line) + cell.columns)
            below.update(dict.fromkeys(columns, (cell.rows - 1, text)))
        line += [text] * cell.columns
    return line


def _span(stated: str | None) -> int:
    digits = (stated or "").strip()[:3]
    return min(max(int(digits), 1), MAX_SPAN) if digits.isdecimal() else 1
