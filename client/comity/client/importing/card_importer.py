"""The importer of model cards in Markdown: Hugging Face READMEs, and cards without front matter.

    bytes ─ Card ─ passages ─┬─ SortedStatements           uses, capabilities, limitations, risks
                             ├─ scores             evaluations, with those of the front matter
                             ├─ facts              details
                             └─ excerpts           the raw text, line by line

Invariants: the draft validates, survives YAML, and can be signed within the limits of a record;
every passage that something was taken from is quoted under ``sources`` with its line.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Final

from comity.client.drafts.draft import Draft, DraftSubject
from comity.client.importing.card import Card
from comity.client.importing.card_scores import evaluations_in
from comity.client.importing.card_sections import sections_of
from comity.client.importing.frontmatter import texts
from comity.client.importing.frontmatter_facts import evaluations_of
from comity.client.importing.importer import Imported
from comity.client.importing.model_identity import UNVERSIONED
from comity.client.importing.statements import SortedStatements
from comity.record.handling import Handling, Tlp
from comity.record.kind import Kind
from comity.record.limits import MAX_NAME_CHARS, MAX_TAGS, MAX_TEXT_CHARS
from comity.record.statement import ModelDescriptor


class CardImporter:
    """Reads model cards in Markdown, with or without the front matter of Hugging Face."""

    reads: Final = "model cards in Markdown, such as Hugging Face READMEs"
    suffixes: Final = frozenset({".md", ".markdown"})

    def recognises(self, data: bytes) -> bool:
        """Return True: any text is Markdown, and ``read`` names the line of what is no text."""
        return True

    def read(self, data: bytes, path: PurePath, tlp: Tlp) -> Imported:
        """Make a draft of a card: what it states, and where it states it.

        Raises:
            LimitExceeded: more than MAX_LINES lines or MAX_BARS bars, or too much front matter.
            InvalidInput: not UTF-8, or not a model card; ``field`` names the line or the field.
        """
        card = Card.read(data, path)
        notes = [f"line {n}: cut to {MAX_TEXT_CHARS} characters" for n in card.cut_lines()]

        # the front matter's results stand before those of the text
        evaluations = evaluations_of(card.metadata, notes)
        found, used = SortedStatements(), []
        for passage in card.passages:
            scores = list(evaluations_in(passage, card, notes))
            if found.read(passage) or scores:
                used.append(passage)
            evaluations += scores

        sections = sections_of(card, found, evaluations, used, notes)
        absent = _absent(card, sections)
        first = [f"not stated: {', '.join(absent)}"] if absent else []
        return Imported(_draft(card, sections, tlp), (*first, *notes))


def _draft(card: Card, sections: dict[str, Any], tlp: Tlp) -> Draft:
    model, language = card.identity, card.language()
    tags = [tag[:MAX_NAME_CHARS] for tag in texts(card.metadata.get("tags"))]

    return Draft(
        kind=Kind.MODEL_CARD,
        subject=DraftSubject(
            name=model.purl,
            model=ModelDescriptor(
                provider=model.provider, model=model.model, version=model.version
            ),
        ),
        title={language: model.title},
        summary={language: card.summary()},
        handling=Handling(tlp=tlp),
        tags=tuple(dict.fromkeys(tags))[:MAX_TAGS],
        sections=sections,
    )


def _absent(card: Card, sections: dict[str, Any]) -> list[str]:
    # what an analyst has to complete before the card says what a reader looks for first
    stated = {
        "licence": sections.get("details", {}).get("licence"),
        "version": card.identity.version != UNVERSIONED,
        "use": sections.get("uses"),
        "limitation": sections.get("limitations"),
        "risk": sections.get("risks"),
        "score": sections.get("evaluations"),
    }
    return [name for name, value in stated.items() if not value]
