"""Drafts: a record as its author writes it, in YAML, before it is signed.

    kind: model-card
    subject:
      name: pkg:huggingface/meta-llama/Llama-3.1-8B
      model: {provider: Meta, model: Llama 3.1 8B, version: 2024-07-23}   # or digest: <sha256>
    title: {en: …}
    summary: {en: …}
    handling: {tlp: GREEN}
    sections:
      limitations:
        - statement: …
    sectionHandling:
      risks: {tlp: AMBER, releasableTo: [ca.aisi.example]}

Invariants: a draft that parses can be signed; a section's handling takes from the record's whatever
its author leaves out; where a kind has content models, a draft has no other sections, so that a
typing error in a section's name does not become a new section.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, ValidationError

from comity.client.drafts.faults import one_error, section_faults
from comity.client.drafts.yaml_text import dump_yaml, load_yaml
from comity.record.content import (
    domains_and_severity,
)
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.errors import InvalidInput, MalformedStatement
from comity.record.handling import Handling, Name
from comity.record.keys import SigningKey
from comity.record.kind import Kind
from comity.record.limits import MAX_TAGS
from comity.record.models import Line, Model, Sha256, check_lines, describe, describe_all
from comity.record.record import Record
from comity.record.section import Disclosure
from comity.record.spiffe import SpiffeId
from comity.record.statement import (
    Annotations,
    Digest,
    LanguageMap,
    ModelDescriptor,
    Predicate,
    Reference,
    Section,
    Statement,
    Subject,
)


class DraftSubject(Model):
    """The subject of the record: a name, and either the weights' digest or a descriptor."""

    name: Line = Field(description="A package URL where one fits, such as pkg:huggingface/….")
    digest: Sha256 | None = Field(None, description="SHA-256 of the weights' manifest, hex.")
    model: ModelDescriptor | None = Field(
        None, description="Provider, model and version, where there is no digest of weights."
    )


class Draft(Model):
    """A record before it is signed. ``issueTime`` and ``nonce`` are set by signing."""

    kind: Kind = Field(description="What the record is.")
    subject: DraftSubject
    title: LanguageMap = Field(description="Title by BCP 47 language tag.")
    summary: LanguageMap = Field(description="Summary by BCP 47 language tag.")
    handling: Handling = Field(description="Release conditions of the record.")
    tags: Annotated[tuple[Name, ...], Field(max_length=MAX_TAGS)] = ()
    references: tuple[Reference, ...] = ()
    supersedes: Sha256 | None = Field(None, description="Id of the record that this one replaces.")
    sections: dict[Name, Any] = Field(default={}, description="Content, by section name.")
    section_handling: dict[Name, dict[str, Any]] = Field(
        default={}, description="Stricter release conditions, by section name."
    )

    @classmethod
    def from_yaml(cls, data: bytes) -> Draft:
        """Read and check a draft.

        Raises:
            InvalidInput: not YAML; says the line and column.
            MalformedStatement, BadHandling, BadContent: its only fault; names the field by its
                path, and the line.
            BadDraft: several such faults, in the order of their lines.
        """
        value = _plain(load_yaml(data))
        draft, faults = _parse(value)
        if draft is not None and not faults:
            return draft

        raise one_error(data, faults)

    def to_yaml(self) -> bytes:
        """Write the draft as YAML 1.2, as an author would."""
        return dump_yaml(self.model_dump(mode="json", exclude_defaults=True))

    def handling_of(self, section: str) -> Handling | None:
        """Return a section's own handling with the record's filled in; None if it has none.

        Raises:
            MalformedStatement, BadHandling: the handling is malformed, or looser than the record's.
        """
        if section not in self.section_handling:
            return None

        field = f"sectionHandling.{section}"
        merged = self.handling.to_value() | self.section_handling[section]
        try:
            handling = Handling.parse(merged)
        except ValidationError as error:
            path, message = describe(error)
            raise MalformedStatement(message, field=field + path) from error

        handling.check_within(self.handling, field)
        return handling

    def sign(self, issuer: SpiffeId, key: SigningKey, now: datetime | None = None) -> Record:
        """Make the record: salt the sections, build the statement, sign it.

        ``now`` is the issue time, by default this clock's.

        Raises:
            LimitExceeded, MalformedStatement, BadHandling: a reader would refuse the statement.
        """
        # the order of the digests must not tell which sections there are
        disclosures = [Disclosure.make(name, value) for name, value in self.sections.items()]
        secrets.SystemRandom().shuffle(disclosures)

        # what a reader would refuse is not signed
        payload = self._statement(issuer, disclosures, now or datetime.now(UTC)).to_payload()
        Statement.from_payload(payload)

        envelope = Envelope.sign(STATEMENT_TYPE, payload, key)
        return Record(envelope, tuple(d.encoded for d in disclosures))

    def faults(self) -> Iterator[InvalidInput]:
        """Yield what several fields together do wrong, apart from the contents of sections."""
        if (self.subject.digest is None) == (self.subject.model is None):
            message = "expected either digest or model, and not both"
            yield MalformedStatement(message, field="subject")

        for name in self.section_handling:
            if name not in self.sections:
                message = f"expected a name among sections, got {name!r}"
                yield MalformedStatement(message, field="sectionHandling")
                continue
            try:
                self.handling_of(name)
            except InvalidInput as error:
                yield error

    def _statement(
        self, issuer: SpiffeId, disclosures: list[Disclosure], now: datetime
    ) -> Statement:
        model = self.subject.model
        digest = self.subject.digest or (model.digest if model else "")

        # in-toto Statement v1 wants a digest: that of the weights, or else of the descriptor
        return Statement(
            subject=(Subject(name=self.subject.name, digest=Digest(sha256=digest)),),
            predicate_type=f"urn:comity:{self.kind}:v1",
            predicate=Predicate(
                issuer=str(issuer),
                issue_time=now,
                title=self.title,
                summary=self.summary,
                handling=self.handling,
                nonce=secrets.token_urlsafe(16),
                model_descriptor=model,
                supersedes=self.supersedes,
                references=self.references,
                tags=self.tags,
                sections=tuple(self._section(d) for d in disclosures),
            ),
        )

    def _section(self, disclosure: Disclosure) -> Section:
        handling = self.handling_of(disclosure.name)
        return Section(
            name=disclosure.name,
            digest=Digest(sha256=disclosure.digest),
            annotations=Annotations(handling=handling) if handling else None,
        )


def _parse(value: Any) -> tuple[Draft | None, list[InvalidInput]]:
    """Return the draft as far as it can be read, and everything that is wrong with it."""
    found = list(section_faults(value))
    try:
        draft = Draft.parse(value)
    except InvalidInput as error:
        # handling contradicts itself, which ends the reading of all other fields
        return None, [error, *found]
    except ValidationError as error:
        told = describe_all(error)
        fields = (MalformedStatement(m, field=path.lstrip(".") or "draft") for path, m in told)
        return None, [*fields, *found]

    found += draft.faults()
    try:
        # a node takes no record whose names hold control characters
        sections = {name: [*domains_and_severity(v)[0]] for name, v in draft.sections.items()}
        check_lines({**value, "sections": sections})
    except InvalidInput as error:
        found.append(error)
    return draft, found


def _plain(value: Any) -> Any:
    # YAML reads 2026-05-21 as a date; a record holds only what JSON can say
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if hasattr(value, "isoformat") else value
