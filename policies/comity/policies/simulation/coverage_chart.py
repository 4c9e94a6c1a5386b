"""The chart of coverage over time: a line for each group of institutes and one for the network.

Colours are those of the Okabe-Ito palette, which readers who are colour-blind can tell apart and
which differ in lightness too; lines of one colour differ in their dashes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from comity.policies.simulation.institute_groups import InstituteGroup
from comity.policies.simulation.report import SimulationOutcome
from comity.policies.simulation.svg import LEFT, RIGHT, WIDTH, shorten, text_at, title

COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c7a00")

_TOP: Final = 100
_HEIGHT: Final = 280
_BOTTOM: Final = _TOP + _HEIGHT
_GAP: Final = 16
"""Space between the heading and the line of 100%."""

_DASHES: Final = ("", "7 3", "2 3", "9 3 2 3", "12 4", "4 2", "1 2")
_LEGEND_COLUMNS: Final = 3
_LEGEND_ROW: Final = 22

_WHOLE: Final = "the network as a whole"
_MEAN: Final = 'class="mean" stroke-width="3"'
_FAINT: Final = f'stroke="{COLOURS[0]}" stroke-width="1" stroke-opacity="0.2"'


def coverage_chart(outcome: SimulationOutcome, groups: list[InstituteGroup]) -> Iterator[str]:
    """Yield the chart without its legend, from the heading down to the axis of days."""
    right = WIDTH - RIGHT
    heading = "Coverage: what is held, of what handling alone would allow"
    yield text_at(LEFT, _TOP - 4, heading, "heading ink")

    # the axes
    for percent in (0, 25, 50, 75, 100):
        y = _y(percent / 100)
        yield f'<line class="rule" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield text_at(LEFT - 8, y + 4, f"{percent}%", "quiet", "end")
    yield f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>'
    for day in _ticks(outcome.days):
        yield text_at(_x(day, outcome.days), _BOTTOM + 18, str(day), "quiet", "middle")
    yield text_at((LEFT + right) / 2, _BOTTOM + 36, "day", "quiet", "middle")

    # the lines, the faint ones behind
    if len(groups) < len(outcome.results):
        for place, result in enumerate(outcome.results):
            yield _line([day[place] for day in outcome.history], result.institute, _FAINT)
    for place, group in enumerate(groups):
        yield _line(group.shares(outcome), group.label, _look(place))
    yield _line(outcome.mean, _WHOLE, _MEAN)


def chart_legend(outcome: SimulationOutcome, groups: list[InstituteGroup]) -> Iterator[str]:
    """Yield the legend, one entry after the other in rows of three."""
    entries = [(_WHOLE, _MEAN), *((g.label, _look(place)) for place, g in enumerate(groups))]
    if len(groups) < len(outcome.results):
        entries.append(("each institute", _FAINT))
    for place, (name, look) in enumerate(entries):
        x = LEFT + (place % _LEGEND_COLUMNS) * 290
        y = _BOTTOM + 66 + _LEGEND_ROW * (place // _LEGEND_COLUMNS)
        mark = f'<line {look} x1="{x}" x2="{x + 34}" y1="{y - 4}" y2="{y - 4}"/>'
        yield mark + text_at(x + 42, y, shorten(name, 36), "ink")


def below_legend(entries: int) -> int:
    """Return where the page goes on below a legend of so many entries."""
    return _BOTTOM + 84 + _LEGEND_ROW * math.ceil(entries / _LEGEND_COLUMNS)


def _line(shares: Sequence[float | None], name: str, look: str) -> str:
    days = len(shares)
    points = [
        (f"{_x(day, days):.1f}", f"{_y(share):.1f}")
        for day, share in enumerate(shares, start=1)
        if share is not None
    ]

    # a polyline of one point would not be seen
    if len(points) == 1:
        x, y = points[0]
        return f'<circle fill="none" {look} cx="{x}" cy="{y}" r="5">{title(name)}</circle>'
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline fill="none" {look} points="{path}">{title(name)}</polyline>'


def _look(place: int) -> str:
    """Return the stroke of the group at a place: first all colours, then all with other dashes."""
    turn, colour = divmod(place, len(COLOURS))
    if turn >= len(_DASHES):
        return _FAINT
    dash = _DASHES[(colour + turn) % len(_DASHES)]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'stroke="{COLOURS[colour]}" stroke-width="2"{dashes}'


def _x(day: float, days: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (day - 1) / max(days - 1, 1)


def _y(share: float) -> float:
    return _TOP + _GAP + (_HEIGHT - _GAP) * (1 - share)


def _ticks(days: int) -> list[int]:
    """Return the days that are labelled: the first and about eight round ones."""
    rough = max(days / 8, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= rough)
    return [1, *range(step if step > 1 else 2, days + 1, step)]
