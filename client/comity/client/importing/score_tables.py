"""Scores out of tables: which row or column is this model's, and what each number measures.

Most tables compare models. Invariants: a number is taken only where the table names this model, or
names no model at all; where the name is that of another size or variant it is kept with the metric
("score [Llama 3 70B]"); a unit is percent or fraction only where the cell says so or the metric is
a share of a whole, and "unspecified" otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

from comity.client.importing.markdown import plain
from comity.client.importing.model_names import SIZE, Names
from comity.client.importing.score_words import (
    METRICS,
    MODEL_FAMILIES,
    NOT_SCORES,
    PROPORTIONS,
    VALUES,
)

_NUMBER: Final = re.compile(
    r"[~≈]?(?P<n>-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d{0,9}\.?\d{1,9}(?:[eE][+-]?\d\d?)?"
    r"|-?\d{1,3},\d{1,2})\s?(?P<p>%?)(?:\s?(?:±|\+/-)\s?[\d.]+\s?%?)?"
)
_DECIMAL_COMMA: Final = re.compile(r"-?\d{1,3},\d{1,2}")
_MARKS: Final = re.compile(r"[*†‡↑↓¹²³ⁱ\\]+")
_BENCHMARK: Final = re.compile(
    r"benchmark|task|dataset|data set|\btests?\b|\beval|ベンチ|评测", re.I
)
_METRIC: Final = re.compile(r"metric|setting|measure|指標|指标", re.I)
_SHOTS: Final = re.compile(r"shots?\b", re.I)
_MODEL: Final = re.compile(r"^models?$|model name|method|system|モデル|模型|modèle|modell", re.I)
_TAIL: Final = re.compile(r".+/([\w@.-]+)")
_LINE_CHARS: Final = 1024
_NAME_CHARS: Final = 60

Row = list[str]
_K = TypeVar("_K", bound=Hashable)
Span = tuple[float, float]
"""Least and greatest of some numbers."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of a table: of which benchmark, in which metric and unit."""

    benchmark: str
    metric: str
    value: float
    unit: str


def number_in(text: str) -> tuple[float, bool] | None:
    """Read a cell as a number, and tell whether it is marked as percent; None for no number."""
    match = _NUMBER.fullmatch(_cell(text))
    if not match:
        return None
    digits = match["n"]
    comma = "." if _DECIMAL_COMMA.fullmatch(digits) else ""
    return float(digits.replace(",", comma)), bool(match["p"])


def listed(text: str, heading: str) -> Reading | None:
    """Read a list item such as "Accuracy: 0.474"; None where it is no score."""
    name, _, value = plain(text).partition(":")
    number = number_in(value)
    if not number or not METRICS.search(name) or len(name) > _NAME_CHARS:
        return None
    return _reading(heading, name.strip(), number, (number[0], number[0]), "")


def unit_of(benchmark: str, metric: str, span: Span, percent: bool) -> str:
    """Return the unit of numbers that lie within ``span``, in a metric of a benchmark."""
    if percent or "%" in metric or "(%)" in benchmark:
        return "percent"
    # a metric that is known decides alone: perplexity on a benchmark of accuracy is no share
    named = metric if METRICS.search(metric) else f"{benchmark} {metric}"
    low, high = span
    if not PROPORTIONS.search(named) or low < 0 or high > 100:
        return "unspecified"
    return "fraction" if high <= 1 else "percent"


def readings(
    rows: tuple[tuple[str, ...], ...], heading: str, names: Names, *, under_results: bool
) -> list[Reading] | None:
    """Return this model's scores in a table; None where it compares only other models.

    ``rows`` hold inline Markdown, header first; ``heading`` is what the table stands under, and
    ``under_results`` whether that speaks of results.
    """
    width = max(map(len, rows), default=0)
    cells = [[_cell(c) for c in (*row, *[""] * (width - len(row)))] for row in rows]
    if len(cells) < 2 or width < 2:
        return []
    table = _Table.of(cells, heading)
    if not table.numbers or not (under_results or table.speaks_of_scores()):
        return []
    if columns := _best({i: table.match_column(i, names) for i in range(1, width)}):
        return table.by_column(columns)
    if lines := _best({i: names.match(_label(row)) for i, row in enumerate(table.body)}):
        return table.by_row(lines)
    return table.own()


@dataclass(frozen=True, slots=True)
class _Table:
    header: Row
    above: Row
    """What spans the header's columns, where it has a second line; else empty texts."""
    body: list[Row]
    heading: str
    numbers: list[int]
    """Columns that hold scores, from the left."""

    @classmethod
    def of(cls, cells: list[Row], heading: str) -> _Table:
        (header, above), body = _header(cells)
        scored = [i for i in range(1, len(header)) if not NOT_SCORES.search(header[i])]
        numbers = [i for i in scored if any(number_in(row[i]) for row in body)]
        return cls(header, above, body, heading, numbers)

    @property
    def labels(self) -> list[int]:
        """Columns of text to the left of all numbers, at least the first."""
        return list(range(max(min(self.numbers), 1)))

    def speaks_of_scores(self) -> bool:
        words = [*self.header, *(row[i] for row in self.body for i in self.labels)]
        return any(METRICS.search(w) or PROPORTIONS.search(w) for w in words)

    def match_column(self, column: int, names: Names) -> int:
        above, header = self.above[column], self.header[column]
        return max(names.match(text) for text in (header, above, header.removeprefix(above)))

    def by_column(self, columns: dict[int, int]) -> list[Reading]:
        """Read the columns of this model: each row is a benchmark."""
        metric = self._column(_METRIC)
        shots = self._column(_SHOTS)
        benchmark = self._column(_BENCHMARK)
        if benchmark == metric:
            metric = None
        if benchmark is None:
            benchmark, metric = (metric, None) if metric is not None else (self.labels[-1], None)
        found = []
        for column in sorted(columns.keys() & set(self.numbers)):
            label = "" if columns[column] == 2 else self.header[column]
            cells: list[tuple[str, str, tuple[float, bool]]] = []
            for row in self.body:
                name, number = row[benchmark] or row[self.labels[-1]], number_in(row[column])
                if number and name and not NOT_SCORES.search(name):
                    stated = (row[metric] if metric is not None else "") or _metric_in(name)
                    if METRICS.search(self.above[column]):
                        stated = self.above[column]
                    stated += f" ({row[shots]}-shot)" if shots is not None and row[shots] else ""
                    cells.append((name, stated, number))
            shares = [_is_share(f"{name} {stated}") for name, stated, _ in cells]
            spans = _spans((kind, c[2][0]) for c, kind in zip(cells, shares, strict=True))
            for (name, stated, number), kind in zip(cells, shares, strict=True):
                found.append(_reading(name, stated, number, spans[kind], label))
        return found

    def by_row(self, lines: dict[int, int]) -> list[Reading]:
        """Read the rows of this model: each column is a benchmark or a metric."""
        kinds = self.body[0] if _is_second_header(self.body[0]) else [""] * len(self.header)
        shares = [_is_share(name) for name in self.header]
        found = []
        for index, fit in lines.items():
            row = self.body[index]
            label = "" if fit == 2 else _label(row)
            numbers = {i: n for i in self.numbers if self.header[i] and (n := number_in(row[i]))}
            spans = _spans(((shares[i], n[1]), n[0]) for i, n in numbers.items())
            for column, number in numbers.items():
                name = self.header[column]
                kind = kinds[column].strip("()") or (name if METRICS.search(name) else "")
                benchmark = self.heading if kind == name else name
                span = spans[shares[column], number[1]]
                found.append(_reading(benchmark, kind or _metric_in(name), number, span, label))
        return found

    def own(self) -> list[Reading] | None:
        """Read a table that does not name this model."""
        left = [row[0] for row in self.body]
        if self._column(_BENCHMARK) is not None and len(self.numbers) == 1:
            fit = 2 if VALUES.search(self.header[self.numbers[0]]) else 1
            return self.by_column({self.numbers[0]: fit})
        if _MODEL.search(self.header[0]) or any(map(MODEL_FAMILIES.search, (*self.header, *left))):
            return None
        if all(SIZE.search(self.header[i]) for i in self.numbers):
            return self.by_column(dict.fromkeys(self.numbers, 1))
        if len(self.body) == 2 and _is_second_header(self.body[0]):
            return self.by_row({1: 2})
        return self._cells()

    def _cells(self) -> list[Reading]:
        cells = [(row, i, n) for row in self.body for i in self.numbers if (n := number_in(row[i]))]
        by_column = _spans((i, n[0]) for _, i, n in cells)
        found = []
        for row, column, number in cells:
            name = " / ".join(row[i] for i in self.labels if row[i])
            if pair := _measured(name, self.header[column]):
                span = by_column[column]
                if pair[1] == name:
                    span = (number[0], number[0])
                found.append(_reading(pair[0] or self.heading, pair[1], number, span, ""))
        return found

    def _column(self, kind: re.Pattern[str]) -> int | None:
        limit = range(min(self.numbers) if kind is not _SHOTS else len(self.header))
        return next((i for i in limit if kind.search(self.header[i])), None)


def _measured(label: str, column: str) -> tuple[str, str] | None:
    # of a row and a column one must name a metric, or the row a benchmark and the column a value
    if NOT_SCORES.search(label):
        return None
    if METRICS.search(column):
        return label, column
    if METRICS.search(label):
        return ("" if VALUES.search(column) else column), label
    return (label, "score") if VALUES.search(column) and PROPORTIONS.search(label) else None


def _reading(
    benchmark: str, metric: str, number: tuple[float, bool], span: Span, label: str
) -> Reading:
    stated = metric.strip("- —") or "score"
    unit = unit_of(benchmark, stated, span, number[1])
    full = f"{stated} [{label}]" if label else stated
    return Reading(benchmark[:_LINE_CHARS] or "unnamed", full[:_LINE_CHARS], number[0], unit)


def _metric_in(name: str) -> str:
    match = _TAIL.fullmatch(name)
    return match[1] if match and METRICS.search(match[1]) else "score"


def _is_share(name: str) -> bool:
    return bool(PROPORTIONS.search(name))


def _spans(values: Iterable[tuple[_K, float]]) -> dict[_K, Span]:
    spans: dict[_K, Span] = {}
    for key, value in values:
        low, high = spans.get(key, (value, value))
        spans[key] = (min(low, value), max(high, value))
    return spans


def _header(cells: list[Row]) -> tuple[tuple[Row, Row], list[Row]]:
    # titles that span the table, and a second line of headings, stand above the numbers
    start = 0
    while start + 2 < len(cells) and len(set(cells[start])) == 1:
        start += 1
    header, body = cells[start], cells[start + 1 :]
    repeated = len(set(header)) < len(header)
    if len(body) > 1 and repeated and not any(map(number_in, body[0])) and _opens(header, body[0]):
        pairs = zip(header, body[0], strict=True)
        joined = [a if a == b else f"{a} {b}".strip() for a, b in pairs]
        return (joined, header), body[1:]
    return (header, [""] * len(header)), body


def _opens(header: Row, row: Row) -> bool:
    return not _is_second_header(row) and row[0] in ("", header[0]) and any(row[1:])


def _is_second_header(row: Row) -> bool:
    return any(row) and all(not c or c.startswith("(") for c in row)


def _label(row: Row) -> str:
    return f"{row[0]} {row[1]}" if SIZE.fullmatch(row[1]) else row[0]


def _best(fits: dict[int, int]) -> dict[int, int]:
    top = max(fits.values(), default=0)
    return {i: fit for i, fit in fits.items() if fit == top and top > 0}


def _cell(text: str) -> str:
    return _MARKS.sub("", plain(text)).strip()
