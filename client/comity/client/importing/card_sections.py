"""The sections of a card's draft, made of what the card states, each within its budget.

Invariant: a record that holds every section at its budget stays below MAX_RECORD_BYTES; what does
not fit is left out at the end of the section, and noted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from comity.client.importing.card import Card
from comity.client.importing.frontmatter import texts
from comity.client.importing.frontmatter_facts import details_of
from comity.client.importing.passages import Passage
from comity.client.importing.statement_words import CAPABILITIES
from comity.client.importing.statements import UNSPECIFIED, SortedStatements
from comity.record.kinds.model_card import Capability, Evaluation, Limitation, Risk, Source
from comity.record.limits import MAX_LINE_CHARS, MAX_NAME_CHARS, MAX_TEXT_CHARS
from comity.record.models import Model

MAX_SECTION_BYTES: Final = 256 << 10
"""Content of one section: seven of them, escaped and encoded, stay below a record's limit."""

_CAPABILITIES: Final = tuple((re.compile(w, re.IGNORECASE), domain) for w, domain in CAPABILITIES)
_M = TypeVar("_M", bound=Model)


def sections_of(
    card: Card,
    found: SortedStatements,
    evaluations: list[Evaluation],
    quoted: list[Passage],
    notes: list[str],
) -> dict[str, Any]:
    """Return the sections that have content, in the order of a draft; note what does not fit.

    ``quoted`` are the passages that ``found`` and ``evaluations`` were taken from.
    """
    limitations = (Limitation(statement=_text(text)) for text in found.limitations)
    risks = (
        Risk(domain=domain or UNSPECIFIED, scenario=_text(text))
        for text, domain in found.risks.items()
    )

    sections = {
        "details": _plain(details_of(card.metadata, card.facts, notes)),
        "uses": _uses(found, notes),
        "capabilities": _within_budget("capabilities", _capabilities(card, found), notes),
        "limitations": _within_budget("limitations", limitations, notes),
        "risks": _within_budget("risks", risks, notes),
        "evaluations": _within_budget("evaluations", evaluations, notes),
        "sources": [_source(card, quoted, notes)],
    }
    return {name: value for name, value in sections.items() if value}


def _uses(found: SortedStatements, notes: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, statements in (("intended", found.intended), ("outOfScope", found.out_of_scope)):
        # each half of the section may fill half of its budget
        limits = (Limitation(statement=_text(text)) for text in statements)
        entries = _within_budget(f"uses.{name}", limits, notes, MAX_SECTION_BYTES // 2)
        if entries:
            kept[name] = [entry["statement"] for entry in entries]
    return kept


def _capabilities(card: Card, found: SortedStatements) -> Iterable[Capability]:
    # the front matter declares the task; the text says what else the model can do
    for tag in texts(card.metadata.get("pipeline_tag")):
        statement = f"pipeline_tag: {tag}"[:MAX_LINE_CHARS]
        yield Capability(domain=tag[:MAX_NAME_CHARS], statement=statement)
    for text in found.capabilities:
        domain = next((d for words, d in _CAPABILITIES if words.search(text)), UNSPECIFIED)
        yield Capability(domain=domain, statement=_text(text))


def _source(card: Card, quoted: list[Passage], notes: list[str]) -> dict[str, Any]:
    repository = card.identity.repository
    source = Source(
        name=card.path.name[:MAX_LINE_CHARS],
        url=f"https://huggingface.co/{repository}" if repository else None,
        sha256=card.sha256,
        format="huggingface-model-card" if card.has_front_matter else "markdown",
    )
    excerpts = _within_budget("sources", filter(None, map(card.excerpt, quoted)), notes)
    return _plain(source) | ({"excerpts": excerpts} if excerpts else {})


def _within_budget(
    section: str, items: Iterable[_M], notes: list[str], budget: int = MAX_SECTION_BYTES
) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    size = 0
    for item in items:
        size += len(item.model_dump_json().encode())
        if size > budget:
            notes.append(f"{section}: more than fits, kept the first {len(kept)}")
            break
        kept.append(_plain(item))
    return kept


def _plain(item: Model) -> dict[str, Any]:
    value: dict[str, Any] = item.model_dump(mode="json", exclude_defaults=True)
    return value


def _text(text: str) -> str:
    return text[:MAX_TEXT_CHARS]
