"""The evaluations in a passage of a card: the scores of its tables and lists, by benchmark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from comity.client.importing.blocks import BlockKind
from comity.client.importing.card import Card
from comity.client.importing.heading_words import Topic
from comity.client.importing.model_names import ModelNames
from comity.client.importing.passages import Passage
from comity.client.importing.score_tables import scores_in_table
from comity.client.importing.score_values import BenchmarkScore, score_in_item
from comity.record.kinds.model_card import Evaluation, Score
from comity.record.limits import MAX_LINE_CHARS

_RESULTS_FOLLOW: Final = re.compile(r"following results|on the evaluation set")


def evaluations_in(passage: Passage, card: Card, notes: list[str]) -> Iterator[Evaluation]:
    """Yield what a passage states of the card's model; note each table of other models only."""
    if Topic.OTHER in passage.topics:
        return
    heading = passage.section or card.identity.title
    under_results = Topic.EVALUATION in passage.topics

    # a list holds scores only where the heading or the text says so
    if under_results or any(_RESULTS_FOLLOW.search(b.text) for b in passage.blocks):
        items = (b.text for b in passage.blocks if b.kind is BlockKind.ITEM)
        found = [score for text in items if (score := score_in_item(text, heading))]
        yield from _by_benchmark(found, card.place(passage.line))

    names = ModelNames([card.identity.model], card.identity.provider)
    for block in (b for b in passage.blocks if b.kind is BlockKind.TABLE):
        read = scores_in_table(block.rows, heading, names, under_results=under_results)
        if read is None:
            notes.append(f"line {block.line}: table names no row or column of this model")
        yield from _by_benchmark(read or [], card.place(block.line))


def _by_benchmark(found: list[BenchmarkScore], source: str) -> Iterator[Evaluation]:
    by_name: dict[str, list[BenchmarkScore]] = {}
    for score in found:
        by_name.setdefault(score.benchmark, []).append(score)

    for name, group in by_name.items():
        scores = tuple(Score(metric=s.metric, value=s.value, unit=s.unit) for s in group)
        yield Evaluation(name=name, scores=scores, source=source[:MAX_LINE_CHARS])
