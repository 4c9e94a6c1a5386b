"""The picture of an outcome, as SVG: coverage over time, and who gave whom.

Institutes that are alike but for a number in their ids make a group; where there are many, a line
is a group's. Colours are of the Okabe-Ito palette and differ in lightness too, lines of one colour
differ in their dashes, and what a cell's shade says its title says in words. Colours follow the
reader's dark or light mode.
Invariant: text from a scenario is escaped, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from xml.sax import saxutils

from comity.policies.simulation.report import Outcome

WIDTH: Final = 960
_LEFT, _RIGHT, _TOP, _CHART_HEIGHT = 64, 24, 100, 280
_MATRIX_SIZE: Final = 600
_LABEL_WIDTH: Final = 176
_LABELLED: Final = 40
"""As many rows of the matrix have room for a name; of more, one of each group is named."""

_NUMBERED: Final = 14
"""As many rows of the matrix have room for numbers."""

_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c7a00")
_DASHES: Final = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2", "1 2")

_WHOLE: Final = "the network as a whole"
_MEAN: Final = 'class="mean" stroke-width="3"'
_FAINT: Final = f'stroke="{_COLOURS[0]}" stroke-width="1" stroke-opacity="0.2"'
_DEEP: Final = 0.55
"""From this shade on, numbers are in the colour of paper."""
_NUMBER: Final = re.compile(r"\d+")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TITLE_CHARS: Final = 72
"""As long a title fits on the page."""

_STYLE: Final = """\
  :root { color-scheme: light dark; }
  .paper { fill: #ffffff } .ink { fill: #1b1f24 } .quiet { fill: #57606a }
  .rule { stroke: #d0d7de } .axis { stroke: #57606a } .mean { stroke: #1b1f24 }
  .cell { fill: #0072b2 } .empty { fill: #f3f5f7 } .self { fill: #d0d7de }
  .light { fill: #1b1f24 } .deep { fill: #ffffff }
  text { font-family: system-ui, sans-serif; font-size: 12px }
  .title { font-size: 20px; font-weight: 600 } .heading { font-size: 14px; font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #14181d } .ink { fill: #e6e9ec } .quiet { fill: #9aa4af }
    .rule { stroke: #333b44 } .axis { stroke: #9aa4af } .mean { stroke: #e6e9ec }
    .cell { fill: #56b4e9 } .empty { fill: #1e242b } .self { fill: #333b44 }
    .light { fill: #e6e9ec } .deep { fill: #14181d }
  }"""


def draw(outcome: Outcome) -> str:
    """Return the picture as an SVG document, WIDTH pixels wide."""
    groups = _groups(outcome)
    legend = list(_legend(outcome, groups))
    matrix_top = _TOP + _CHART_HEIGHT + 84 + 22 * math.ceil(len(legend) / 3)
    count = len(outcome.results)
    height = matrix_top + 60 + max(_cell_size(count) * count, 150) + 32
    title = outcome.title or "Simulation"
    body = [
        f'<rect class="paper" width="{WIDTH}" height="{height:.0f}"/>',
        _text(_LEFT, 36, _short(title, _TITLE_CHARS), "title ink"),
        _text(_LEFT, 60, _subtitle(outcome), "quiet"),
        *_chart(outcome, groups),
        *legend,
        *_matrix(outcome, groups, matrix_top),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
            f'width="{WIDTH}" height="{height:.0f}" role="img">',
            f"<title>{_escape(title)}</title>",
            f"<style>\n{_STYLE}\n</style>",
            *body,
            "</svg>\n",
        ]
    )


def _subtitle(outcome: Outcome) -> str:
    issued = sum(result.issued for result in outcome.results)
    waiting = len(outcome.deadlocks)
    deadlocks = f"{waiting} deadlock{'' if waiting == 1 else 's'}" if waiting else "no deadlock"
    return f"{len(outcome.results)} institutes, {issued} records, {outcome.days} days, {deadlocks}"


@dataclass(frozen=True, slots=True)
class _Group:
    """Neighbours that are alike: places ``first`` to ``last``, both included."""

    name: str
    first: int
    last: int

    @property
    def label(self) -> str:
        count = self.last - self.first + 1
        return self.name if count == 1 else f"{self.name} ({count})"

    def shares(self, outcome: Outcome) -> list[float | None]:
        """Return each day's mean coverage."""
        return [_mean(day[self.first : self.last + 1]) for day in outcome.history]


def _groups(outcome: Outcome) -> list[_Group]:
    names = [result.institute for result in outcome.results]
    many = len(names) > len(_COLOURS)
    groups, first = [], 0
    for stem, members in groupby(names, lambda name: _NUMBER.sub("#", name) if many else name):
        alike = list(members)
        last = first + len(alike) - 1
        groups.append(_Group(stem if len(alike) > 1 else alike[0], first, last))
        first = last + 1
    return groups


def _mean(shares: Sequence[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None


# --- coverage over time --------------------------------------------------------------------------


def _chart(outcome: Outcome, groups: list[_Group]) -> Iterator[str]:
    bottom, right = _TOP + _CHART_HEIGHT, WIDTH - _RIGHT
    heading = "Coverage: what is held, of what handling alone would allow"
    yield _text(_LEFT, _TOP - 4, heading, "heading ink")
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100)
        yield f'<line class="rule" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 8, y + 4, f"{percent}%", "quiet", "end")
    yield f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
    for day in _ticks(outcome.days):
        yield _text(_x(day, outcome.days), bottom + 18, str(day), "quiet", "middle")
    yield _text((_LEFT + right) / 2, bottom + 36, "day", "quiet", "middle")
    if len(groups) < len(outcome.results):
        for place, result in enumerate(outcome.results):
            yield _line([day[place] for day in outcome.history], result.institute, _FAINT)
    for place, group in enumerate(groups):
        yield _line(group.shares(outcome), group.label, _look(place))
    yield _line(outcome.mean, _WHOLE, _MEAN)


def _line(shares: Sequence[float | None], name: str, look: str) -> str:
    days = len(shares)
    points = [
        (f"{_x(day, days):.1f}", f"{_y(share):.1f}")
        for day, share in enumerate(shares, start=1)
        if share is not None
    ]
    title = f"<title>{_escape(name)}</title>"
    if len(points) == 1:
        x, y = points[0]
        return f'<circle fill="none" {look} cx="{x}" cy="{y}" r="5">{title}</circle>'
    way = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline fill="none" {look} points="{way}">{title}</polyline>'


def _legend(outcome: Outcome, groups: list[_Group]) -> Iterator[str]:
    entries = [(_WHOLE, _MEAN), *((g.label, _look(place)) for place, g in enumerate(groups))]
    if len(groups) < len(outcome.results):
        entries.append(("each institute", _FAINT))
    for place, (name, look) in enumerate(entries):
        x = _LEFT + (place % 3) * 290
        y = _TOP + _CHART_HEIGHT + 66 + 22 * (place // 3)
        mark = f'<line {look} x1="{x}" x2="{x + 34}" y1="{y - 4}" y2="{y - 4}"/>'
        yield mark + _text(x + 42, y, _short(name, 36), "ink")


def _look(place: int) -> str:
    turn, colour = divmod(place, len(_COLOURS))
    if turn >= len(_DASHES):
        return _FAINT
    dash = _DASHES[(colour + turn) % len(_DASHES)]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'stroke="{_COLOURS[colour]}" stroke-width="2"{dashes}'


def _x(day: float, days: int) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * (day - 1) / max(days - 1, 1)


def _y(share: float) -> float:
    return _TOP + 16 + (_CHART_HEIGHT - 16) * (1 - share)


def _ticks(days: int) -> list[int]:
    """Return the first day and about eight round ones."""
    rough = max(days / 8, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough)
    return [1, *range(step if step > 1 else 2, days + 1, step)]


# --- who gave whom -------------------------------------------------------------------------------


def _matrix(outcome: Outcome, groups: list[_Group], top: int) -> Iterator[str]:
    names = [result.institute for result in outcome.results]
    count = len(names)
    size = _cell_size(count)
    left, grid = _LEFT + _LABEL_WIDTH, top + 60
    most = max(map(max, outcome.matrix))
    yield _text(_LEFT, top, "Who gave whom: own records, in the end", "heading ink")
    yield _text(left - 12, grid - 12, "from ↓", "quiet", "end")
    if count <= _LABELLED:
        for row, name in enumerate(names):
            middle = (row + 0.5) * size
            yield _text(
                left - 12, grid + middle + 4, f"{_short(name, 24)}  {row + 1}", "ink", "end"
            )
            yield _text(left + middle, grid - 12, str(row + 1), "quiet", "middle")
        yield _text(left, grid - 30, "to →", "quiet")
    else:
        for group in groups:
            middle = grid + (group.first + group.last + 1) / 2 * size
            yield _text(left - 12, middle + 4, _short(group.label, 26), "ink", "end")
        yield _text(left, grid - 12, "to, in the same order →", "quiet")
    yield f'<rect class="empty" {_box(left, grid, size * count)}/>'
    for row, giver in enumerate(names):
        y = grid + row * size
        for column, receiver in enumerate(names):
            x, given = left + column * size, outcome.matrix[row][column]
            if row == column:
                yield f'<rect class="self" {_box(x, y, size - 0.5)}/>'
                continue
            yield _cell(x, y, size, _shade(given, most), f"{giver} gave {receiver} {given}")
            if count <= _NUMBERED:
                look = "deep" if _shade(given, most) > _DEEP else "light"
                yield _text(x + size / 2, y + size / 2 + 4, str(given), look, "middle")
    yield from _scale(left + count * size + 32, grid, most)


def _cell_size(count: int) -> float:
    return min(_MATRIX_SIZE / count, 44)


def _cell(x: float, y: float, size: float, shade: float, title: str) -> str:
    look = f'class="cell" fill-opacity="{shade:.2f}"'
    return f"<rect {look} {_box(x, y, size - 0.5)}><title>{_escape(title)}</title></rect>"


def _box(x: float, y: float, size: float) -> str:
    return f'x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{size:.1f}"'


def _shade(given: int, most: int) -> float:
    # logarithmic: whether it is one record or none matters most
    return math.log1p(given) / math.log1p(most) if most else 0.0


def _scale(x: float, y: float, most: int) -> Iterator[str]:
    yield _text(x, y - 12, "records", "quiet")
    for place, given in enumerate(sorted({0, *(round(most**share) for share in (0, 0.4, 0.7, 1))})):
        top = y + place * 24
        yield f'<rect class="empty" {_box(x, top, 20)}/>'
        yield _cell(x, top, 20, _shade(given, most), f"{given} records")
        yield _text(x + 28, top + 14, str(given), "ink")


def _text(x: float, y: float, content: str, look: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" class="{look}" text-anchor="{anchor}"'
    return f"<text {place}>{_escape(content)}</text>"


def _escape(content: str) -> str:
    """Return text as XML may hold it; control characters are replaced."""
    return saxutils.escape(_NOT_XML.sub("\ufffd", content))


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
