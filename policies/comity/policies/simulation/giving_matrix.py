"""The matrix of who gave whom: a row for each giver, a column for each receiver.

Invariant: the title of each cell says in words what its shade says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from comity.policies.simulation.institute_groups import InstituteGroup
from comity.policies.simulation.report import SimulationOutcome
from comity.policies.simulation.svg import LEFT, shorten, square_at, text_at, title

_SIZE: Final = 600
_LARGEST_CELL: Final = 44
_GRID_LEFT: Final = LEFT + 176
"""The names of the rows stand to its left."""

_GRID_TOP: Final = 60
"""The heading and the numbers of the columns stand above it."""

_GAP: Final = 0.5
"""Space between two cells."""

_MAX_NAMED: Final = 40
"""As many rows have room for a name each; of more, one name stands for each group."""

_MAX_NUMBERED: Final = 14
"""As many rows have room for a number in each cell."""

_DEEP: Final = 0.55
"""From this shade on, numbers have the colour of paper."""

_SCALE_HEIGHT: Final = 150


def giving_matrix(
    outcome: SimulationOutcome, groups: list[InstituteGroup], top: int
) -> Iterator[str]:
    """Yield the matrix and its scale; ``top`` is where the heading stands on the page."""
    names = [result.institute for result in outcome.results]
    size = _cell_size(len(names))
    grid_top = top + _GRID_TOP
    most = max(map(max, outcome.matrix))

    yield text_at(LEFT, top, "Who gave whom: own records, in the end", "heading ink")
    yield text_at(_GRID_LEFT - 12, grid_top - 12, "from ↓", "quiet", "end")
    if len(names) <= _MAX_NAMED:
        yield from _named_rows(names, grid_top, size)
    else:
        yield from _grouped_rows(groups, grid_top, size)

    yield f'<rect class="empty" {square_at(_GRID_LEFT, grid_top, size * len(names))}/>'
    yield from _cells(outcome, grid_top, size, most)
    yield from _scale(_GRID_LEFT + len(names) * size + 32, grid_top, most)


def matrix_height(count: int) -> float:
    """Return the height of the matrix of so many institutes, heading and scale included."""
    return _GRID_TOP + max(_cell_size(count) * count, _SCALE_HEIGHT)


def _named_rows(names: list[str], grid_top: int, size: float) -> Iterator[str]:
    for row, name in enumerate(names):
        middle = (row + 0.5) * size
        label = f"{shorten(name, 24)}  {row + 1}"
        yield text_at(_GRID_LEFT - 12, grid_top + middle + 4, label, "ink", "end")
        yield text_at(_GRID_LEFT + middle, grid_top - 12, str(row + 1), "quiet", "middle")
    yield text_at(_GRID_LEFT, grid_top - 30, "to →", "quiet")


def _grouped_rows(groups: list[InstituteGroup], grid_top: int, size: float) -> Iterator[str]:
    for group in groups:
        middle = grid_top + (group.first + group.last + 1) / 2 * size
        yield text_at(_GRID_LEFT - 12, middle + 4, shorten(group.label, 26), "ink", "end")
    yield text_at(_GRID_LEFT, grid_top - 12, "to, in the same order →", "quiet")


def _cells(outcome: SimulationOutcome, grid_top: int, size: float, most: int) -> Iterator[str]:
    names = [result.institute for result in outcome.results]
    for row, giver in enumerate(names):
        y = grid_top + row * size
        for column, receiver in enumerate(names):
            x, given = _GRID_LEFT + column * size, outcome.matrix[row][column]
            if row == column:
                yield f'<rect class="self" {square_at(x, y, size - _GAP)}/>'
                continue

            shade = _shade(given, most)
            yield _cell(x, y, size, shade, f"{giver} gave {receiver} {given}")
            if len(names) <= _MAX_NUMBERED:
                look = "deep" if shade > _DEEP else "light"
                yield text_at(x + size / 2, y + size / 2 + 4, str(given), look, "middle")


def _cell_size(count: int) -> float:
    return min(_SIZE / count, _LARGEST_CELL)


def _cell(x: float, y: float, size: float, shade: float, words: str) -> str:
    look = f'class="cell" fill-opacity="{shade:.2f}"'
    return f"<rect {look} {square_at(x, y, size - _GAP)}>{title(words)}</rect>"


def _shade(given: int, most: int) -> float:
    # logarithmic, since one record instead of none is the greatest difference
    return math.log1p(given) / math.log1p(most) if most else 0.0


def _scale(x: float, y: float, most: int) -> Iterator[str]:
    yield text_at(x, y - 12, "records", "quiet")
    for place, given in enumerate(sorted({0, *(round(most**share) for share in (0, 0.4, 0.7, 1))})):
        top = y + place * 24
        yield f'<rect class="empty" {square_at(x, top, 20)}/>'
        yield _cell(x, top, 20, _shade(given, most), f"{given} records")
        yield text_at(x + 28, top + 14, str(given), "ink")
