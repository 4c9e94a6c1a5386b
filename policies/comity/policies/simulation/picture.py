"""The picture of a simulation, as SVG: coverage over time, and who gave whom.

Where there are many institutes, those whose ids differ only in a number are drawn as a group.
Colours follow the reader's dark or light mode. Invariant: text from a scenario is escaped, and
nothing is loaded from elsewhere.
"""

from __future__ import annotations

from typing import Final

from comity.policies.simulation.coverage_chart import (
    COLOURS,
    below_legend,
    chart_legend,
    coverage_chart,
)
from comity.policies.simulation.giving_matrix import giving_matrix, matrix_height
from comity.policies.simulation.institute_groups import institute_groups
from comity.policies.simulation.report import SimulationOutcome
from comity.policies.simulation.svg import LEFT, WIDTH, shorten, text_at, title

_TITLE_CHARS: Final = 72
"""A longer title does not fit on the page."""

_BOTTOM_MARGIN: Final = 32

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


def draw(outcome: SimulationOutcome) -> str:
    """Return the picture as an SVG document, WIDTH pixels wide."""
    # each institute has a line of its own while there are colours
    groups = institute_groups(outcome, len(COLOURS))
    legend = list(chart_legend(outcome, groups))

    matrix_top = below_legend(len(legend))
    height = f"{matrix_top + matrix_height(len(outcome.results)) + _BOTTOM_MARGIN:.0f}"
    name = outcome.title or "Simulation"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img">',
            title(name),
            f"<style>\n{_STYLE}\n</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
            text_at(LEFT, 36, shorten(name, _TITLE_CHARS), "title ink"),
            text_at(LEFT, 60, _subtitle(outcome), "quiet"),
            *coverage_chart(outcome, groups),
            *legend,
            *giving_matrix(outcome, groups, matrix_top),
            "</svg>\n",
        ]
    )


def _subtitle(outcome: SimulationOutcome) -> str:
    issued = sum(result.issued for result in outcome.results)
    waiting = len(outcome.deadlocks)
    deadlocks = f"{waiting} deadlock{'' if waiting == 1 else 's'}" if waiting else "no deadlock"
    return f"{len(outcome.results)} institutes, {issued} records, {outcome.days} days, {deadlocks}"
