"""A score: the number in a cell, what it measures, and whether it is a percentage or a fraction.

Invariant: a unit is percent or fraction only where the cell says so or the metric is a share of a
whole; everywhere else it is "unspecified".
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from comity.client.importing.markdown import plain
from comity.client.importing.score_words import METRICS, PROPORTIONS
from comity.record.limits import MAX_LINE_CHARS

_NUMBER: Final = re.compile(
    r"[~≈]?(?P<n>-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d{0,9}\.?\d{1,9}(?:[eE][+-]?\d\d?)?"
    r"|-?\d{1,3},\d{1,2})\s?(?P<p>%?)(?:\s?(?:±|\+/-)\s?[\d.]+\s?%?)?"
)
_DECIMAL_COMMA: Final = re.compile(r"-?\d{1,3},\d{1,2}")
_FOOTNOTE_MARKS: Final = re.compile(r"[*†‡↑↓¹²³ⁱ\\]+")
_NAME_CHARS: Final = 60
_K = TypeVar("_K", bound=Hashable)


class CellNumber(NamedTuple):
    """A number as it stands in a cell; ``percent`` is True if a "%" follows it."""

    value: float
    percent: bool


class ValueRange(NamedTuple):
    """The least and the greatest of some numbers that are measured alike."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BenchmarkScore:
    """One number: of which benchmark, in which metric and unit."""

    benchmark: str
    metric: str
    value: float
    unit: str


def cell_text(cell: str) -> str:
    """Return a cell's inline Markdown as plain text, without marks of footnotes."""
    return _FOOTNOTE_MARKS.sub("", plain(cell)).strip()


def number_in(cell: str) -> CellNumber | None:
    """Read a cell that is nothing but a number; its margin of error is dropped."""
    match = _NUMBER.fullmatch(cell_text(cell))
    if not match:
        return None
    digits = match["n"]
    comma = "." if _DECIMAL_COMMA.fullmatch(digits) else ""
    return CellNumber(float(digits.replace(",", comma)), bool(match["p"]))


def score_in_item(text: str, heading: str) -> BenchmarkScore | None:
    """Read a list item such as "Accuracy: 0.474"; None if it is no score."""
    name, _, value = plain(text).partition(":")
    number = number_in(value)
    if not number or not METRICS.search(name) or len(name) > _NAME_CHARS:
        return None
    return score_of(heading, name.strip(), number, ValueRange(number.value, number.value))


def score_of(
    benchmark: str, metric: str, number: CellNumber, among: ValueRange, model: str = ""
) -> BenchmarkScore:
    """Make a score of a number; ``among`` are all numbers of its kind, which settle the unit.

    ``model`` is the name that the number stands under, if that is not quite the card's own.
    """
    stated = metric.strip("- —") or "score"
    unit = unit_of(benchmark, stated, among, number.percent)
    full = f"{stated} [{model}]" if model else stated
    return BenchmarkScore(
        benchmark[:MAX_LINE_CHARS] or "unnamed", full[:MAX_LINE_CHARS], number.value, unit
    )


def unit_of(benchmark: str, metric: str, among: ValueRange, percent: bool) -> str:
    """Return the unit of numbers within ``among``: "percent", "fraction" or "unspecified"."""
    if percent or "%" in metric or "(%)" in benchmark:
        return "percent"
    # a metric that is known decides alone: perplexity on a benchmark of accuracy is no share
    named = metric if METRICS.search(metric) else f"{benchmark} {metric}"
    if not is_proportion(named) or among.low < 0 or among.high > 100:
        return "unspecified"
    return "fraction" if among.high <= 1 else "percent"


def is_proportion(name: str) -> bool:
    """True if a benchmark or metric is a share of a whole: 0 to 1, or 0 to 100 in percent."""
    return bool(PROPORTIONS.search(name))


def ranges_of(values: Iterable[tuple[_K, float]]) -> dict[_K, ValueRange]:
    """Return the range of the numbers under each key."""
    ranges: dict[_K, ValueRange] = {}
    for key, value in values:
        low, high = ranges.get(key, (value, value))
        ranges[key] = ValueRange(min(low, value), max(high, value))
    return ranges
