"""A card becomes a draft: the sections that it states, where they stand, and what it leaves out.

    file ─ read_card_file ─ read_blocks ─ passages ─┬─ Findings   uses, capabilities, limitations,
                                                    │             risks
                                                    ├─ readings   scores of tables
                                                    ├─ facts      details
                                                    └─ excerpts   the raw text, line by line

Invariants: the draft validates, survives YAML, and can be signed within the limits of a record; it
says nothing that the source does not say; every passage that something was taken from is quoted
under ``sources`` with its line.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final, TypeVar

from comity.client.drafts.draft import Draft, DraftSubject
from comity.client.files import naming, read_file
from comity.client.importing.facts import facts
from comity.client.importing.frontmatter import CardFile, read_card_file, texts
from comity.client.importing.frontmatter_facts import details_of, evaluations_of
from comity.client.importing.heading_words import Topic
from comity.client.importing.html_blocks import Kind
from comity.client.importing.markdown import plain, read_blocks
from comity.client.importing.model_identity import UNVERSIONED, identify, language_of
from comity.client.importing.model_names import Names
from comity.client.importing.passages import Passage, passages
from comity.client.importing.score_tables import Reading, listed, readings
from comity.client.importing.statement_words import CAPABILITIES
from comity.client.importing.statements import UNSPECIFIED, Findings
from comity.record import content
from comity.record.handling import Handling, Tlp
from comity.record.limits import MAX_IMPORT_BYTES, MAX_NAME_CHARS, MAX_TAGS, MAX_TEXT_CHARS, Limit
from comity.record.models import Model
from comity.record.statement import ModelDescriptor

MAX_SECTION_BYTES: Final = 256 << 10
"""Content of one section: seven of them, escaped and encoded, stay below a record's limit."""

MAX_LINES: Final = Limit("MAX_LINES", 20_000, "lines")
"""Lines of a card: a dozen times the longest seen; each may become several blocks."""

MAX_BARS: Final = Limit("MAX_BARS", 50_000, "bars")
"""Bars ("|") in a card: ninety times the most seen; each may make a cell of a table."""

_RESULTS_FOLLOW: Final = re.compile(r"following results|on the evaluation set")
_SUMMARY_CHARS: Final = 1000
_LINE_CHARS: Final = 1024
_CAPABILITIES: Final = tuple((re.compile(w, re.IGNORECASE), domain) for w, domain in CAPABILITIES)
_M = TypeVar("_M", bound=Model)


@dataclass(frozen=True, slots=True)
class Imported:
    """A draft made from a card, and notes on what the card left out or what could not be read."""

    draft: Draft
    notes: tuple[str, ...]

    def count(self, section: str) -> int:
        """Return how many entries a section has, for evaluations how many scores."""
        entries = self.draft.sections.get(section, [])
        if section == "evaluations":
            return sum(len(entry.get("scores", ())) for entry in entries)
        return len(entries)


def import_card(path: Path, tlp: Tlp = Tlp.GREEN) -> Imported:
    """Read a model card: a Hugging Face README, or plain Markdown.

    Raises:
        BadConfig: missing or unreadable.
        LimitExceeded: larger or longer than an import may be.
        InvalidInput: not a model card; ``field`` names the file, and the line or the field in it.
    """
    data = read_file(path, MAX_IMPORT_BYTES)
    with naming(path):
        return import_bytes(data, path.absolute(), tlp)


def import_bytes(data: bytes, path: PurePath, tlp: Tlp = Tlp.GREEN) -> Imported:
    """Read a model card from its bytes; ``path`` says where they lay.

    Raises:
        LimitExceeded, InvalidInput: as ``import_card``; ``field`` names the line or field.

    """
    file = read_card_file(data)
    lines = [line[:MAX_TEXT_CHARS] for line in file.body.split("\n")]
    MAX_LINES.check(len(lines))
    MAX_BARS.check(file.body.count("|"))
    return _Import(file, lines, path).draft(hashlib.sha256(data).hexdigest(), tlp)


class _Import:
    def __init__(self, file: CardFile, lines: list[str], path: PurePath) -> None:
        self.notes: list[str] = []
        self._file, self._lines, self._path = file, lines, path
        self._metadata = file.metadata or {}
        self._blocks = read_blocks("\n".join(lines), file.first_line)
        self._passages = passages(self._blocks, file.first_line + len(lines) - 1)
        self._facts = facts(self._passages)
        self._identity = identify(path, file.metadata, self._blocks, self._facts)
        self._findings = Findings()
        self._used: list[Passage] = []
        cut = {block.line for block in self._blocks if len(block.text) == MAX_TEXT_CHARS}
        cut |= {n for n, line in enumerate(lines, file.first_line) if len(line) == MAX_TEXT_CHARS}
        self.notes.extend(f"line {n}: cut to {MAX_TEXT_CHARS} characters" for n in sorted(cut))

    def draft(self, sha256: str, tlp: Tlp) -> Imported:
        evaluations = evaluations_of(self._metadata, self.notes)
        evaluations += self._read_passages()
        sections = {name: value for name, value in self._sections(evaluations, sha256) if value}
        self._note_absences(sections)
        model, language = self._identity, language_of(self._prose())
        draft = Draft(
            kind=content.Kind.MODEL_CARD,
            subject=DraftSubject(
                name=model.purl,
                model=ModelDescriptor(
                    provider=model.provider, model=model.model, version=model.version
                ),
            ),
            title={language: model.title},
            summary={language: self._summary()},
            handling=Handling(tlp=tlp),
            tags=tuple(
                dict.fromkeys(t[:MAX_NAME_CHARS] for t in texts(self._metadata.get("tags")))
            )[:MAX_TAGS],
            sections=sections,
        )
        return Imported(draft, tuple(self.notes))

    def _read_passages(self) -> list[content.Evaluation]:
        names = Names([self._identity.model], self._identity.provider)
        evaluations: list[content.Evaluation] = []
        for passage in self._passages:
            scores = list(self._scores(passage, names))
            stated = self._findings.read(passage)
            stated = self._findings.read_stray(passage) or stated
            if stated or scores:
                self._used.append(passage)
            evaluations += scores
        return evaluations

    def _scores(self, passage: Passage, names: Names) -> Iterator[content.Evaluation]:
        if Topic.OTHER in passage.topics:
            return
        heading = passage.section or self._identity.title
        results = Topic.EVALUATION in passage.topics
        listing = results or any(_RESULTS_FOLLOW.search(b.text) for b in passage.blocks)
        items = [b for b in passage.blocks if b.kind is Kind.ITEM and listing]
        if found := [r for b in items if (r := listed(b.text, heading))]:
            yield from _evaluations(found, self._place(passage.line))
        for block in (b for b in passage.blocks if b.kind is Kind.TABLE):
            read = readings(block.rows, heading, names, under_results=results)
            if read is None:
                self.notes.append(f"line {block.line}: table names no row or column of this model")
            yield from _evaluations(read or [], self._place(block.line))

    def _place(self, line: int) -> str:
        return f"{self._path.name[-_LINE_CHARS // 2 :]}, line {line}"

    def _sections(
        self, evaluations: list[content.Evaluation], sha256: str
    ) -> Iterator[tuple[str, Any]]:
        found = self._findings
        yield "details", _plain(details_of(self._metadata, self._facts, self.notes))
        yield "uses", _uses(found, self.notes)
        tags = texts(self._metadata.get("pipeline_tag"))
        declared = [
            content.Capability(
                domain=tag[:MAX_NAME_CHARS], statement=f"pipeline_tag: {tag}"[:_LINE_CHARS]
            )
            for tag in tags
        ]
        yield (
            "capabilities",
            self._kept("capabilities", [*declared, *map(_capability, found.capabilities)]),
        )
        limitations = (content.Limitation(statement=_text(t)) for t in found.limitations)
        yield "limitations", self._kept("limitations", limitations)
        risks = (
            content.Risk(domain=d or UNSPECIFIED, scenario=_text(t)) for t, d in found.risks.items()
        )
        yield "risks", self._kept("risks", risks)
        yield "evaluations", self._kept("evaluations", evaluations)
        yield "sources", [self._source(sha256)]

    def _kept(self, section: str, items: Iterable[_M]) -> list[dict[str, Any]]:
        return _within_budget(section, items, self.notes)

    def _source(self, sha256: str) -> dict[str, Any]:
        repository = self._identity.repository
        source = content.Source(
            name=self._path.name[:_LINE_CHARS],
            url=f"https://huggingface.co/{repository}" if repository else None,
            sha256=sha256,
            format="markdown" if self._file.metadata is None else "huggingface-model-card",
        )
        excerpts = self._kept("sources", filter(None, map(self._excerpt, self._used)))
        return _plain(source) | ({"excerpts": excerpts} if excerpts else {})

    def _excerpt(self, passage: Passage) -> content.Excerpt | None:
        # a lead-in shares its line with the text; a heading stands above it
        first = passage.line if passage.level in (0, 7) else passage.line + 1
        offset = self._file.first_line
        raw = "\n".join(self._lines[max(first - offset, 0) : passage.end - offset + 1]).strip("\n")
        if not raw.strip():
            return None
        heading = (passage.heading or self._identity.title)[:_LINE_CHARS]
        return content.Excerpt(heading=heading, line=passage.line, text=raw[:MAX_TEXT_CHARS])

    def _note_absences(self, sections: dict[str, Any]) -> None:
        stated = {
            "licence": sections.get("details", {}).get("licence"),
            "version": self._identity.version != UNVERSIONED,
            "use": sections.get("uses"),
            "limitation": sections.get("limitations"),
            "risk": sections.get("risks"),
            "score": sections.get("evaluations"),
        }
        if absent := [name for name, value in stated.items() if not value]:
            self.notes.insert(0, f"not stated: {', '.join(absent)}")

    def _summary(self) -> str:
        for block in self._blocks:
            text = plain(block.text) if block.kind is Kind.PARAGRAPH else ""
            if len(text.split()) >= 8 or len(text) >= 40:
                return text[:_SUMMARY_CHARS]
        return self._identity.title

    def _prose(self) -> str:
        return " ".join(b.text for b in self._blocks[:400] if b.kind is not Kind.TABLE)


def _evaluations(found: list[Reading], source: str) -> Iterator[content.Evaluation]:
    by_name: dict[str, list[Reading]] = {}
    for reading in found:
        by_name.setdefault(reading.benchmark, []).append(reading)
    for name, group in by_name.items():
        scores = tuple(content.Score(metric=r.metric, value=r.value, unit=r.unit) for r in group)
        yield content.Evaluation(name=name, scores=scores, source=source[:_LINE_CHARS])


def _uses(found: Findings, notes: list[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, statements in (("intended", found.intended), ("outOfScope", found.out_of_scope)):
        # each half of the section may fill half of its budget
        limits = (content.Limitation(statement=_text(t)) for t in statements)
        values = [i["statement"] for i in _within_budget(f"uses.{name}", limits, notes, 2)]
        kept |= {name: values} if values else {}
    return kept


def _capability(text: str) -> content.Capability:
    domain = next((d for words, d in _CAPABILITIES if words.search(text)), UNSPECIFIED)
    return content.Capability(domain=domain, statement=_text(text))


def _within_budget(
    section: str, items: Iterable[_M], notes: list[str], share: int = 1
) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    size = 0
    for item in items:
        size += len(item.model_dump_json().encode())
        if size > MAX_SECTION_BYTES // share:
            notes.append(f"{section}: more than fits, kept the first {len(kept)}")
            break
        kept.append(_plain(item))
    return kept


def _plain(item: Model) -> dict[str, Any]:
    value: dict[str, Any] = item.model_dump(mode="json", exclude_defaults=True)
    return value


def _text(text: str) -> str:
    return text[:MAX_TEXT_CHARS]
