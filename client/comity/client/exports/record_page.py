"""page.html: a page that shows an exported record to a person, in any browser.

The page is one file. It runs nothing and loads nothing, and its content security policy says so
to the browser. Invariants: all text of the record is escaped, by ``Markup.format``, and characters
that are not seen are spelled out. Equal records with equal proofs give equal pages, byte for byte,
so that ``comity verify`` can compare a page with what it shows.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from markupsafe import Markup

from comity.client.drafts.yaml_text import dump_yaml
from comity.client.exports.record_page_text import (
    BLOCK,
    FACT,
    PAGE,
    SECTION,
    STYLE,
    WITHDRAWN,
    WORDS,
)
from comity.client.terminal import visible
from comity.client.verify.record_view import (
    RecordView,
    SectionStatus,
    SectionView,
    describe_handling,
)
from comity.record.checkpoint import Checkpoint
from comity.record.handling import Handling
from comity.record.note import Note
from comity.record.record import Record
from comity.record.statement import Statement
from comity.record.times import format_time
from comity.record.tlog_proof import TlogProof

PAGE_FILE: Final = "page.html"

_MAX_SHOWN_CHARS: Final = 16_384
"""Characters of a section on the page: an export with its page still fits MAX_ARCHIVE_BYTES."""


def record_page(view: RecordView, notice: Record | None, proof: TlogProof | None) -> bytes:
    """Return the page, UTF-8. ``notice`` withdraws the record; ``proof`` is that of its log.

    Raises:
        InvalidInput: the notice's payload or the proof's checkpoint cannot be read.
    """
    predicate = view.statement.predicate
    titles = dict(predicate.title)
    title = titles.pop("en" if "en" in titles else min(titles))
    style_hash = base64.b64encode(hashlib.sha256(str(STYLE).encode()).digest()).decode()
    page = PAGE.format(
        style=STYLE,
        style_hash=style_hash,
        title=visible(title),
        withdrawn=_withdrawn(notice) if notice else "",
        titles=_words(titles),
        summaries=_words(predicate.summary),
        facts=_facts((*_header(view), *_proof(proof))),
        sections=_join(_section(section) for section in view.sections),
    )
    return page.encode()


def _header(view: RecordView) -> Iterator[tuple[str, str]]:
    predicate = view.statement.predicate
    yield "Record", view.record_id
    yield "Kind", str(view.statement.kind)
    yield "Subject", view.statement.subject[0].name
    if predicate.model_descriptor:
        yield "Provider", predicate.model_descriptor.provider
        yield "Model", predicate.model_descriptor.model
        yield "Version", predicate.model_descriptor.version
    yield "Issuer", str(view.statement.issuer)
    yield "Key", view.keyid
    yield "Issued", format_time(predicate.issue_time)
    yield "Handling", _handling(predicate.handling)

    if predicate.tags:
        yield "Tags", ", ".join(predicate.tags)
    if predicate.supersedes:
        yield "Supersedes", predicate.supersedes
    for reference in predicate.references:
        yield "Reference", f"{reference.record} ({reference.relation})"

    withheld = sum(section.status is SectionStatus.WITHHELD for section in view.sections)
    yield "Sections", f"{len(view.sections) - withheld} shown, {withheld} withheld"


def _proof(proof: TlogProof | None) -> Iterator[tuple[str, str]]:
    if proof is None:
        yield "Log", "this export holds no proof that the record is in its issuer's log"
        return
    note = Note.parse(proof.checkpoint)
    checkpoint = Checkpoint.parse(note.text)
    signed = f"signatures and cosignatures: {len(note.signatures)}"
    yield "Log", f"entry {proof.index} of {checkpoint.size} in {checkpoint.origin}; {signed}"


def _withdrawn(notice: Record) -> Markup:
    statement = Statement.from_payload(notice.envelope.payload)
    return WITHDRAWN.format(
        issuer=visible(str(statement.issuer)),
        time=format_time(statement.predicate.issue_time),
        notice=notice.record_id,
        words=_words(statement.predicate.title) + _words(statement.predicate.summary),
    )


def _section(section: SectionView) -> Markup:
    content = ""
    if section.status is SectionStatus.PRESENT:
        # as its author wrote it, in YAML
        content = dump_yaml(section.content).decode().rstrip()
    if len(content) > _MAX_SHOWN_CHARS:
        content = f"{content[:_MAX_SHOWN_CHARS]}\n… cut here; the rest is in disclosures/"
    return SECTION.format(
        name=visible(section.label),
        status=str(section.status),
        handling=visible(_handling(section.handling)),
        content=BLOCK.format(text=visible(content)) if content else "",
    )


def _handling(handling: Handling) -> str:
    said = describe_handling(handling)
    return f"TLP:{handling.tlp}" + (f"; {said}" if said else "")


def _facts(facts: Iterable[tuple[str, str]]) -> Markup:
    return _join(FACT.format(label=label, value=visible(value)) for label, value in facts)


def _words(words: Mapping[str, str]) -> Markup:
    # every language: which one a reader's browser prefers must not change the page
    texts = sorted(words.items())
    return _join(WORDS.format(language=tag, text=visible(text)) for tag, text in texts)


def _join(parts: Iterable[Markup]) -> Markup:
    return Markup("").join(parts)
