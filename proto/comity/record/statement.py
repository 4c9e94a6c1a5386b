"""A record's header: an in-toto Statement v1 with a Comity predicate (in-toto/attestation spec/v1).

    {"_type": "https://in-toto.io/Statement/v1",
     "subject": [{"name": "pkg:huggingface/…", "digest": {"sha256": "…"}}],
     "predicateType": "urn:comity:model-card:v1",
     "predicate": {"issuer": "spiffe://…", "issueTime": "…Z", "title": {"en": "…"}, …,
                   "sections": [{"name": "risks", "mediaType": "application/json",
                                 "digest": {"sha256": "…"}, "annotations": {"handling": {…}}}]}}

Invariants: no field beyond in-toto's in Statement and ResourceDescriptor (cosign parses them
strictly); exactly one subject; no section is handled more loosely than its record. The subject's
digest is that of the weights' manifest, or the SHA-256 of the JCS form of the ``modelDescriptor``
if the predicate has one.
"""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, ValidationError

from comity.record import ijson
from comity.record.errors import MalformedStatement
from comity.record.handling import Handling, Name
from comity.record.kind import Kind
from comity.record.limits import MAX_SECTIONS, MAX_TAGS
from comity.record.models import Line, Model, Sha256, describe
from comity.record.spiffe import SpiffeId
from comity.record.times import UtcTime

STATEMENT: Final = "https://in-toto.io/Statement/v1"
MEDIA_TYPE: Final = "application/json"
WITHDRAWS: Final = "withdraws"
"""Relation by which a record of kind withdrawal names what it withdraws."""

_PREDICATE_TYPE: Final = re.compile(r"urn:comity:([a-z-]+):v1")
_BCP47 = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
_Nonce = Annotated[str, StringConstraints(min_length=22, max_length=128)]
LanguageMap = Annotated[
    dict[_BCP47, Annotated[str, StringConstraints(min_length=1, max_length=8192)]],
    Field(min_length=1, max_length=64),
]


class Digest(Model):
    """An in-toto DigestSet with the one algorithm that Comity uses."""

    sha256: Sha256


class ModelDescriptor(Model):
    """The name of a model whose weights cannot be hashed."""

    provider: Line
    model: Line
    version: Line

    @property
    def digest(self) -> str:
        """SHA-256 of the JCS form (RFC 8785), lower-case hex: the subject's digest."""
        return hashlib.sha256(ijson.canonical(self.model_dump())).hexdigest()


class Subject(Model):
    """The subject of a record: a name, a package URL if one fits, and a digest."""

    name: Line
    digest: Digest


class Annotations(Model):
    """Comity's additions to an in-toto ResourceDescriptor, in its field ``annotations``."""

    handling: Handling


class Section(Model):
    """The commitment to a section: ``digest`` is over the ASCII text of its disclosure.

    None as ``name`` means that the header does not reveal the section's name.
    """

    name: Name | None = None
    media_type: Literal["application/json"] = MEDIA_TYPE
    digest: Digest
    annotations: Annotations | None = None


class Reference(Model):
    """A link to another record: ``relation`` such as evaluates, mitigates, refines, withdraws."""

    record: Sha256
    relation: Name


class Predicate(Model):
    """The fields that the header of every kind of record has."""

    issuer: Line
    issue_time: UtcTime
    title: LanguageMap
    summary: LanguageMap
    handling: Handling
    nonce: _Nonce
    model_descriptor: ModelDescriptor | None = None
    supersedes: Sha256 | None = None
    references: Annotated[tuple[Reference, ...], Field(max_length=MAX_SECTIONS)] = ()
    tags: Annotated[tuple[Name, ...], Field(max_length=MAX_TAGS)] = ()
    sections: tuple[Section, ...] = ()


class Statement(Model):
    """A parsed header. ``from_payload`` also checks the rules that concern several fields."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(STATEMENT, alias="_type")
    subject: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=1)]
    predicate_type: str
    predicate: Predicate

    @cached_property
    def kind(self) -> Kind:
        """The kind of the record."""
        return Kind(self.predicate_type.split(":")[2])

    @cached_property
    def issuer(self) -> SpiffeId:
        """The SPIFFE id of the issuer, as the record claims it."""
        return SpiffeId.parse(self.predicate.issuer)

    @property
    def withdraws(self) -> tuple[str, ...]:
        """Ids of the records that this one names as withdrawn.

        It withdraws only those of its own issuer; the caller checks that.
        """
        if self.kind is not Kind.WITHDRAWAL:
            return ()
        named = self.predicate.references
        return tuple(each.record for each in named if each.relation == WITHDRAWS)

    def section_handling(self, index: int) -> Handling:
        """Return the handling that applies to a section: its own, or else its record's."""
        annotations = self.predicate.sections[index].annotations
        return annotations.handling if annotations else self.predicate.handling

    def to_payload(self) -> bytes:
        """Return the payload to be signed: the JCS form (RFC 8785)."""
        return ijson.canonical(self.to_value())

    @classmethod
    def from_payload(cls, payload: bytes) -> Statement:
        """Read and check a DSSE payload.

        Raises:
            MalformedJson, LimitExceeded: not I-JSON, too deep, too many sections.
            MalformedStatement: a field is missing, unknown or malformed; names it.
            BadHandling: contradictory handling, or a section looser than its record.
        """
        value = ijson.loads(payload, field="payload")
        _check_section_count(value)

        try:
            statement = cls.parse(value)
        except ValidationError as error:
            path, message = describe(error)
            raise MalformedStatement(message, field=path.lstrip(".") or "payload") from error

        statement._check_whole()
        return statement

    def _check_whole(self) -> None:
        _check_predicate_type(self.predicate_type)
        SpiffeId.parse(self.predicate.issuer)

        descriptor, digest = self.predicate.model_descriptor, self.subject[0].digest.sha256
        if descriptor and descriptor.digest != digest:
            message = f"expected the modelDescriptor's digest {descriptor.digest}, got {digest}"
            raise MalformedStatement(message, field="subject[0].digest.sha256")

        # a disclosure is found by its digest, so two sections must not share one
        digests = {section.digest.sha256 for section in self.predicate.sections}
        if len(digests) != len(self.predicate.sections):
            raise MalformedStatement("expected distinct digests", field="predicate.sections")

        for index, section in enumerate(self.predicate.sections):
            if section.annotations:
                field = f"predicate.sections[{index}].annotations.handling"
                section.annotations.handling.check_within(self.predicate.handling, field)


def _check_section_count(value: Any) -> None:
    # counted in the bare JSON, before a model is made of each section
    predicate = value.get("predicate") if isinstance(value, dict) else None
    sections = predicate.get("sections") if isinstance(predicate, dict) else None
    if isinstance(sections, list):
        MAX_SECTIONS.check(len(sections), "predicate.sections")


def _check_predicate_type(predicate_type: str) -> None:
    match = _PREDICATE_TYPE.fullmatch(predicate_type)
    if not match or match[1] not in set(Kind):
        kinds = ", ".join(Kind)
        message = f"expected urn:comity:<kind>:v1 with kind of {kinds}, got {predicate_type!r:.80}"
        raise MalformedStatement(message, field="predicateType")
