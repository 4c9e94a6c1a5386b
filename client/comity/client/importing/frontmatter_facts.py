"""What a card's front matter states: facts, the task, and results in ``model-index``.

Fields come as a string or as a list, with values of every type; a value that does not fit is left
out and noted, never guessed. Invariant: reading never raises, whatever the front matter holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from comity.client.importing.facts import (
    count_of,
    language_tags,
    modalities_of,
    words_of,
)
from comity.client.importing.frontmatter import texts
from comity.client.importing.score_values import CellNumber, ValueRange, number_in, unit_of
from comity.record.kinds.model_card import Details, Evaluation, Score
from comity.record.limits import MAX_LINE_CHARS

_MAX_VALUES: Final = 256
"""Values kept of one list: the longest seen names a hundred languages."""


def details_of(metadata: Mapping[str, Any], facts: Mapping[str, str], notes: list[str]) -> Details:
    """Return the facts of the front matter, completed by ``facts``, those of the body.

    Languages that are none are left out and noted.
    """
    declared = _lines(metadata, "language")
    languages = language_tags(declared or words_of(facts.get("languages", "")))
    unknown = [name for name in declared if not language_tags([name])]
    if unknown:
        notes.append(f"language: not a BCP 47 tag, left out: {', '.join(unknown)[:200]}")

    tag = " ".join(_lines(metadata, "pipeline_tag"))
    return Details(
        developer=facts.get("developer"),
        licence=_licence(metadata) or facts.get("licence"),
        architecture=facts.get("architecture"),
        parameters=count_of(facts.get("parameters", "")),
        modalities=tuple(modalities_of(tag or facts.get("modalities", ""))),
        languages=tuple(languages),
        base_models=tuple(_lines(metadata, "base_model") or _one(facts.get("base_models"))),
        datasets=tuple(_lines(metadata, "datasets")),
        released=facts.get("released"),
    )


def evaluations_of(metadata: Mapping[str, Any], notes: list[str]) -> list[Evaluation]:
    """Return the results of ``model-index``; note the metrics without a number."""
    index = metadata.get("model-index")
    found = []
    for number, result in enumerate(_results(index)):
        dataset, task = _map(result, "dataset"), _map(result, "task")
        scores = tuple(_scores(result, f"model-index.results[{number}]", notes))
        named = _first(dataset, "name", "type") or _first(task, "name", "type")
        if not dataset:
            notes.append(f"model-index.results[{number}].dataset: missing")

        # a result of which no number could be read is left out
        if scores:
            found.append(
                Evaluation(
                    name=named or "unnamed",
                    task=_first(task, "name", "type"),
                    dataset=_dataset(dataset),
                    scores=scores,
                    source=_first(_map(result, "source"), "url", "name") or "model-index",
                )
            )
    return found


def _results(index: Any) -> Iterator[Mapping[str, Any]]:
    for model in index if isinstance(index, list) else [index]:
        results = model.get("results") if isinstance(model, dict) else None
        yield from (
            (r for r in results or () if isinstance(r, dict)) if isinstance(results, list) else ()
        )


def _scores(result: Mapping[str, Any], field: str, notes: list[str]) -> Iterator[Score]:
    metrics = result.get("metrics")
    for index, metric in enumerate(metrics if isinstance(metrics, list) else []):
        name = _first(metric, "name", "type") if isinstance(metric, dict) else None
        number = _number(metric.get("value")) if isinstance(metric, dict) else None
        if name is None or number is None:
            notes.append(f"{field}.metrics[{index}]: expected a name and a number, left out")
            continue

        # the type often says what the name does not: "WER on calls" is of the type "wer"
        kind = f"{name} {_first(metric, 'type') or ''}"
        alone = ValueRange(number.value, number.value)
        yield Score(metric=name, value=number.value, unit=unit_of("", kind, alone, number.percent))


def _number(value: Any) -> CellNumber | None:
    if isinstance(value, str):
        return number_in(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        # an integer of more than some 300 digits
        return None
    return CellNumber(number, percent=False) if math.isfinite(number) else None


def _dataset(dataset: Mapping[str, Any]) -> str | None:
    name = _first(dataset, "name", "type")
    parts = [
        f"{key} {text}" for key in ("config", "split", "revision") if (text := _first(dataset, key))
    ]
    return f"{name} ({', '.join(parts)})"[:MAX_LINE_CHARS] if name and parts else name


def _licence(metadata: Mapping[str, Any]) -> str | None:
    stated = _lines(metadata, "license")
    named = _lines(metadata, "license_name")
    # "other" says only that the name stands in another field
    chosen = named if named and stated in ([], ["other"]) else stated
    return ", ".join(chosen)[:MAX_LINE_CHARS] or None


def _lines(metadata: Mapping[str, Any], key: str) -> list[str]:
    return [" ".join(text.split())[:MAX_LINE_CHARS] for text in texts(metadata.get(key))][
        :_MAX_VALUES
    ]


def _map(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _first(value: Mapping[str, Any], *keys: str) -> str | None:
    return next((line for key in keys for line in _lines(value, key)), None)


def _one(text: str | None) -> list[str]:
    return [text] if text else []
