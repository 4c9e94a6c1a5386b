"""Scores out of tables: which row or column is this model's, and what each number measures.

Most tables compare models. Invariants: a number is taken only where the table names this model, or
names no model at all; under the name of another size or variant it is kept with that name, beside
the metric ("score [Llama 3 70B]").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from comity.client.importing.model_names import MODEL_SIZE, ModelNames, NameMatch
from comity.client.importing.score_values import (
    BenchmarkScore,
    CellNumber,
    ValueRange,
    cell_text,
    is_proportion,
    number_in,
    ranges_of,
    score_of,
)
from comity.client.importing.score_words import METRICS, MODEL_FAMILIES, NOT_SCORES, VALUES

_BENCHMARK: Final = re.compile(
    r"benchmark|task|dataset|data set|\btests?\b|\beval|ベンチ|评测", re.I
)
_METRIC: Final = re.compile(r"metric|setting|measure|指標|指标", re.I)
_SHOTS: Final = re.compile(r"shots?\b", re.I)
_MODEL: Final = re.compile(r"^models?$|model name|method|system|モデル|模型|modèle|modell", re.I)
_TAIL: Final = re.compile(r".+/([\w@.-]+)")

_Row = list[str]


class _Entry(NamedTuple):
    benchmark: str
    metric: str
    number: CellNumber

    @property
    def is_proportion(self) -> bool:
        return is_proportion(f"{self.benchmark} {self.metric}")


def scores_in_table(
    rows: tuple[tuple[str, ...], ...], heading: str, names: ModelNames, *, under_results: bool
) -> list[BenchmarkScore] | None:
    """Return this model's scores in a table; None if it compares only other models.

    ``rows`` hold inline Markdown, header first; ``heading`` is what the table stands under, and
    ``under_results`` whether that speaks of results.
    """
    width = max(map(len, rows), default=0)
    cells = [[cell_text(c) for c in (*row, *[""] * (width - len(row)))] for row in rows]
    if len(cells) < 2 or width < 2:
        return []

    table = _Table.of(cells, heading)
    if not table.numbers or not (under_results or table.speaks_of_scores()):
        return []

    # a column under this model's name goes before a row of its name
    if columns := _best({i: table.match_column(i, names) for i in range(1, width)}):
        return table.by_column(columns)
    if lines := _best({i: names.match(_label(row)) for i, row in enumerate(table.body)}):
        return table.by_row(lines)
    return table.unnamed()


@dataclass(frozen=True, slots=True)
class _Table:
    header: _Row
    above: _Row
    """What spans the header's columns, where it has a second line; else empty texts."""
    body: list[_Row]
    heading: str
    numbers: list[int]
    """Columns that hold scores, from the left."""

    @classmethod
    def of(cls, cells: list[_Row], heading: str) -> _Table:
        header, above, body = _split_header(cells)
        scored = [i for i in range(1, len(header)) if not NOT_SCORES.search(header[i])]
        numbers = [i for i in scored if any(number_in(row[i]) for row in body)]
        return cls(header, above, body, heading, numbers)

    @property
    def labels(self) -> list[int]:
        """Columns of text to the left of all numbers, at least the first."""
        return list(range(max(min(self.numbers), 1)))

    def speaks_of_scores(self) -> bool:
        words = [*self.header, *(row[i] for row in self.body for i in self.labels)]
        return any(METRICS.search(word) or is_proportion(word) for word in words)

    def match_column(self, column: int, names: ModelNames) -> NameMatch:
        above, header = self.above[column], self.header[column]
        return max(names.match(text) for text in (header, above, header.removeprefix(above)))

    def by_column(self, columns: dict[int, NameMatch]) -> list[BenchmarkScore]:
        """Read the columns of this model: each row is a benchmark."""
        found = []
        for column in sorted(columns.keys() & set(self.numbers)):
            entries = list(self._entries(column))
            model = "" if columns[column] is NameMatch.OWN else self.header[column]

            # shares are told from other numbers, so that an Elo does not hide a percentage
            ranges = ranges_of((e.is_proportion, e.number.value) for e in entries)
            found += [score_of(*e, ranges[e.is_proportion], model) for e in entries]
        return found

    def _entries(self, column: int) -> Iterator[_Entry]:
        shots = self._column(_SHOTS)
        benchmark, metric = self._benchmark_and_metric()
        for row in self.body:
            name, number = row[benchmark] or row[self.labels[-1]], number_in(row[column])
            if not number or not name or NOT_SCORES.search(name):
                continue

            # a metric above the column is nearer than one in the row
            stated = (row[metric] if metric is not None else "") or _metric_in(name)
            if METRICS.search(self.above[column]):
                stated = self.above[column]
            if shots is not None and row[shots]:
                stated += f" ({row[shots]}-shot)"
            yield _Entry(name, stated, number)

    def by_row(self, lines: dict[int, NameMatch]) -> list[BenchmarkScore]:
        """Read the rows of this model: each column is a benchmark or a metric."""
        kinds = self.body[0] if _is_second_header(self.body[0]) else [""] * len(self.header)
        shares = [is_proportion(name) for name in self.header]
        found = []
        for index, match in lines.items():
            row = self.body[index]
            model = "" if match is NameMatch.OWN else _label(row)
            numbers = {i: n for i in self.numbers if self.header[i] and (n := number_in(row[i]))}
            ranges = ranges_of(((shares[i], n.percent), n.value) for i, n in numbers.items())

            for column, number in numbers.items():
                name = self.header[column]
                kind = kinds[column].strip("()") or (name if METRICS.search(name) else "")
                # a column that is a metric leaves the benchmark to the heading
                benchmark = self.heading if kind == name else name
                among = ranges[shares[column], number.percent]
                found.append(score_of(benchmark, kind or _metric_in(name), number, among, model))
        return found

    def unnamed(self) -> list[BenchmarkScore] | None:
        """Read a table that does not name this model."""
        # (1) benchmarks and one column of numbers: this model's, unless another name stands there
        if self._column(_BENCHMARK) is not None and len(self.numbers) == 1:
            own = VALUES.search(self.header[self.numbers[0]])
            return self.by_column({self.numbers[0]: NameMatch.OWN if own else NameMatch.VARIANT})

        # (2) the names of other models: a comparison without this one
        left = [row[0] for row in self.body]
        if _MODEL.search(self.header[0]) or any(map(MODEL_FAMILIES.search, (*self.header, *left))):
            return None

        # (3) a column for each size of this model; a single row of numbers; cells one by one
        if all(MODEL_SIZE.search(self.header[i]) for i in self.numbers):
            return self.by_column(dict.fromkeys(self.numbers, NameMatch.VARIANT))
        if len(self.body) == 2 and _is_second_header(self.body[0]):
            return self.by_row({1: NameMatch.OWN})
        return self._by_cell()

    def _by_cell(self) -> list[BenchmarkScore]:
        cells = [(row, i, n) for row in self.body for i in self.numbers if (n := number_in(row[i]))]
        by_column = ranges_of((column, number.value) for _, column, number in cells)
        found = []
        for row, column, number in cells:
            label = " / ".join(row[i] for i in self.labels if row[i])
            if pair := _measured(label, self.header[column]):
                benchmark, metric = pair
                # where the row names the metric, the column's other numbers are of other metrics
                alone = ValueRange(number.value, number.value)
                among = alone if metric == label else by_column[column]
                found.append(score_of(benchmark or self.heading, metric, number, among))
        return found

    def _benchmark_and_metric(self) -> tuple[int, int | None]:
        benchmark, metric = self._column(_BENCHMARK), self._column(_METRIC)
        if benchmark is not None:
            return benchmark, None if metric == benchmark else metric
        return (self.labels[-1] if metric is None else metric), None

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
    return (label, "score") if VALUES.search(column) and is_proportion(label) else None


def _metric_in(name: str) -> str:
    # "mteb/amazon/accuracy" ends in its metric
    match = _TAIL.fullmatch(name)
    return match[1] if match and METRICS.search(match[1]) else "score"


def _split_header(cells: list[_Row]) -> tuple[_Row, _Row, list[_Row]]:
    # titles that span the table, and a second line of headings, stand above the numbers
    start = 0
    while start + 2 < len(cells) and len(set(cells[start])) == 1:
        start += 1
    header, body = cells[start], cells[start + 1 :]

    repeated = len(set(header)) < len(header)
    if len(body) > 1 and repeated and not any(map(number_in, body[0])) and _opens(header, body[0]):
        pairs = zip(header, body[0], strict=True)
        joined = [a if a == b else f"{a} {b}".strip() for a, b in pairs]
        return joined, header, body[1:]
    return header, [""] * len(header), body


def _opens(header: _Row, row: _Row) -> bool:
    return not _is_second_header(row) and row[0] in ("", header[0]) and any(row[1:])


def _is_second_header(row: _Row) -> bool:
    return any(row) and all(not c or c.startswith("(") for c in row)


def _label(row: _Row) -> str:
    return f"{row[0]} {row[1]}" if MODEL_SIZE.fullmatch(row[1]) else row[0]


def _best(matches: dict[int, NameMatch]) -> dict[int, NameMatch]:
    top = max(matches.values(), default=NameMatch.OTHER)
    return {i: match for i, match in matches.items() if match == top and top > NameMatch.OTHER}
