"""Draws which institute holds which card of the demonstration, from what ``make demo`` printed.

    make demo > demo.txt
    .venv/bin/python -m demo.picture demo.txt docs/demo.svg

Invariant: nothing is drawn that was not printed, so the picture shows what the nodes answered.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

from demo.institutes import INSTITUTES

_WIDTH: Final = 860
_TOP: Final = 96
_ROW: Final = 19
_FIRST_CELL: Final = 456
_CELL: Final = 36

_ROW_OF_CARD: Final = re.compile(rf"^\s*(\w\w/\S+)\s+(.*?)((?:\s+[■●◐·]){{{len(INSTITUTES)}}})\s*$")

_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:17px;font-weight:600}"
    ".faint{fill:#59636e}.own{fill:#0b3d91}.all{fill:#2b7de0}.none{fill:#c8ced6}"
    ".ring{fill:none;stroke:#2b7de0;stroke-width:1.5}"
)
_HEADING: Final = "Which institute holds which card"
_LEGEND: Final = (("■", "issued here"), ("●", "all sections"), ("◐", "some"), ("·", "nothing"))


class CardRow(NamedTuple):
    """One card: its name, its handling in words, and a mark for each institute."""

    name: str
    handling: str
    marks: tuple[str, ...]


def read_rows(printed: str) -> list[CardRow]:
    """Return the rows of the screen "Who holds what"."""
    found = filter(None, map(_ROW_OF_CARD.match, printed.splitlines()))
    return [CardRow(row[1], row[2].strip(), tuple(row[3].split())) for row in found]


def draw(rows: list[CardRow]) -> str:
    """Return the picture as SVG; it loads nothing from elsewhere."""
    height = _TOP + _ROW * len(rows) + 16
    pieces = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{_HEADING}</title>",
        f'<style>{_STYLE}</style><rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        _text(20, 32, _HEADING, "title"),
    ]

    for place, (mark, meaning) in enumerate(_LEGEND):
        x = 26 + 118 * place
        pieces += [_mark(mark, x, 53), _text(x + 12, 57, meaning, "faint")]

    for number, institute in enumerate(INSTITUTES):
        pieces.append(_text(_cell(number), _TOP - 12, institute.short, "faint", "middle"))
    pieces += [_text(20, _TOP - 12, "card", "faint"), _text(236, _TOP - 12, "handling", "faint")]

    for number, row in enumerate(rows):
        pieces += _row(row, _TOP + _ROW * number + 8)
    return "\n".join([*pieces, "</svg>"]) + "\n"


def _row(row: CardRow, y: int) -> Iterator[str]:
    yield _text(20, y + 4, row.name)
    yield _text(236, y + 4, row.handling, "faint")
    for number, mark in enumerate(row.marks):
        yield _mark(mark, _cell(number), y)


def _cell(number: int) -> int:
    return _FIRST_CELL + _CELL * number


def _text(x: int, y: int, content: str, look: str = "", anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{look}" text-anchor="{anchor}">{escape(content)}</text>'


def _mark(mark: str, x: int, y: int) -> str:
    """Return a mark as a shape, since fonts draw these characters in different sizes."""
    if mark == "■":
        return f'<rect x="{x - 6}" y="{y - 6}" width="12" height="12" class="own"/>'
    if mark == "●":
        return f'<circle cx="{x}" cy="{y}" r="6" class="all"/>'
    if mark == "◐":
        half = f'<path d="M{x} {y - 6}a6 6 0 0 0 0 12z" class="all"/>'
        return f'<circle cx="{x}" cy="{y}" r="5.3" class="ring"/>{half}'
    return f'<circle cx="{x}" cy="{y}" r="1.5" class="none"/>'


if __name__ == "__main__":
    printed, picture = map(Path, sys.argv[1:])
    picture.write_text(draw(read_rows(printed.read_text())))
