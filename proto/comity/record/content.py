"""Content models: what each section of a model card holds.

The models are strict (no unknown field, no coercion from text to number), frozen, and exported as
JSON Schema (``schemas/``), so that editors complete a card written in YAML. In JSON and YAML field
names are camelCase. Invariant: section names and models correspond one to one in
``SECTION_MODELS``; a section of another name, or of another kind of record, holds any I-JSON and is
carried as it is, so that a newer node's sections pass through an older one. What it states under
``domain`` and ``severity`` counts all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from comity.record.errors import BadContent
from comity.record.handling import Name
from comity.record.limits import MAX_DOMAINS, MAX_NAME_CHARS, MAX_TEXT_CHARS
from comity.record.models import Integer, Model, Number, describe

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Kind(StrEnum):
    """What a record is."""

    MODEL_CARD = "model-card"
    EVALUATION = "evaluation"
    INCIDENT = "incident"
    DATASET = "dataset"
    CRITERIA = "criteria"
    RESOURCE = "resource"
    GUIDANCE = "guidance"
    ENDORSEMENT = "endorsement"
    WITHDRAWAL = "withdrawal"


class Severity(StrEnum):
    """How bad it would be, mildest first."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """1 for low up to 4 for critical; 0 is kept for "not stated"."""
        return _RANKS[self]


_RANKS: Final[Mapping[str, int]] = {word: rank for rank, word in enumerate(Severity, start=1)}


class Likelihood(StrEnum):
    """How often it is expected, rarest first."""

    RARE = "rare"
    UNLIKELY = "unlikely"
    POSSIBLE = "possible"
    LIKELY = "likely"
    ALMOST_CERTAIN = "almost-certain"


class Level(StrEnum):
    """How far a capability reaches, lowest first, against people who do the task for a living."""

    NONE = "none"
    BASIC = "basic"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"
    EXPERT = "expert"
    BEYOND_EXPERT = "beyond-expert"


class Score(Model):
    """One measured number."""

    metric: Line = Field(description="What was measured, such as accuracy or pass@1.")
    value: Number = Field(description="The number, in the stated unit.")
    unit: Line = Field(description="fraction (0 to 1), percent (0 to 100), or another unit.")
    standard_error: Annotated[Number, Field(ge=0)] | None = Field(
        None, description="Standard error of the value, in the same unit."
    )
    evaluation: Line | None = Field(
        None, description="Which evaluation gave it: a record id, a URL or a benchmark's name."
    )


class Capability(Model):
    """Something the model can do."""

    domain: Name = Field(description="Field of work, such as coding, or a taxonomy code.")
    statement: Text = Field(description="What it can do, in a sentence.")
    level: Level | None = Field(None, description="How far it reaches.")
    scores: tuple[Score, ...] = Field((), description="Numbers that support the statement.")


class Limitation(Model):
    """Something the model cannot do, or does badly."""

    statement: Text = Field(description="What fails, in a sentence.")
    condition: Text | None = Field(None, description="When it fails.")
    severity: Severity | None = Field(None, description="How much it matters.")


class Risk(Model):
    """A way in which the model could do harm."""

    domain: Name = Field(description="A taxonomy code, such as nist-ai-600-1:cbrn, or a word.")
    scenario: Text = Field(description="How the harm would come about.")
    likelihood: Likelihood | None = Field(None, description="How often it is expected.")
    severity: Severity | None = Field(None, description="How bad it would be.")
    mitigations: tuple[Text, ...] = Field((), description="What has been done about it.")
    residual_risk: Text | None = Field(None, description="What remains after mitigation.")


class Evaluation(Model):
    """Results of one evaluation of the model."""

    name: Line = Field(description="The benchmark or test.")
    task: Line | None = Field(None, description="The kind of task.")
    dataset: Line | None = Field(None, description="The data set, with its revision where known.")
    scores: tuple[Score, ...] = Field((), description="The numbers.")
    source: Line | None = Field(None, description="URL or name of where the numbers stand.")


class Uses(Model):
    """What the model is for, and what it is not for."""

    intended: tuple[Text, ...] = Field((), description="Uses the developer intends.")
    out_of_scope: tuple[Text, ...] = Field((), description="Uses the developer advises against.")


class Details(Model):
    """Facts about the model itself."""

    developer: Line | None = Field(None, description="Who made it.")
    licence: Line | None = Field(None, description="SPDX identifier or name of its licence.")
    architecture: Line | None = Field(None, description="Such as decoder-only transformer.")
    parameters: Annotated[Integer, Field(ge=0)] | None = Field(
        None, description="Total parameters."
    )
    modalities: tuple[Name, ...] = Field((), description="Such as text, image, audio.")
    languages: tuple[Name, ...] = Field((), description="BCP 47 tags of languages it handles.")
    base_models: tuple[Line, ...] = Field((), description="Models that it was derived from.")
    datasets: tuple[Line, ...] = Field((), description="Data sets that it was trained on.")
    released: Line | None = Field(None, description="Release date, YYYY-MM-DD where known.")


class Excerpt(Model):
    """Text of a source, as it stood there."""

    heading: Line = Field(description="The heading that it stood under.")
    line: Annotated[Integer, Field(ge=1)] = Field(
        description="Line of the heading, counted from 1."
    )
    text: Text = Field(description="The text under the heading, unchanged.")


class Source(Model):
    """Where what a card says was taken from."""

    name: Line = Field(description="File name or title.")
    url: Line | None = Field(None, description="Where it was found.")
    sha256: Sha256 | None = Field(None, description="SHA-256 of the file, lower-case hex.")
    format: Line | None = Field(None, description="Format of the file.")
    excerpts: tuple[Excerpt, ...] = Field((), description="Passages that the card draws on.")


SECTION_MODELS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "details": Details,
        "uses": Uses,
        "capabilities": tuple[Capability, ...],
        "limitations": tuple[Limitation, ...],
        "risks": tuple[Risk, ...],
        "evaluations": tuple[Evaluation, ...],
        "sources": tuple[Source, ...],
    }
)
"""The sections of a model card, in the order in which they are shown."""


@cache
def section_adapter(name: str) -> TypeAdapter[Any]:
    """Return the validator of a model-card section; ``name`` is a key of SECTION_MODELS."""
    return TypeAdapter(SECTION_MODELS[name])


def check_content(kind: Kind, name: str, value: Any) -> Any:
    """Return the content model of a section's value (I-JSON).

    A section without a model, or of a kind without models, comes back as it was.

    Raises:
        BadContent: names the field by its path and says what was expected.
        LimitExceeded: it names more than MAX_DOMAINS domains. To leave some of them out would let
            policy see less than the issuer states.
    """
    field = f"sections.{name}"
    content = value
    if kind is Kind.MODEL_CARD and name in SECTION_MODELS:
        content = _read_model(name, value, field)
    MAX_DOMAINS.check(len(domains_and_severity(content)[0]), field)
    return content


def _read_model(name: str, value: Any, field: str) -> Any:
    try:
        return section_adapter(name).validate_python(value, by_alias=True, by_name=False)
    except ValidationError as error:
        path, message = describe(error)
        raise BadContent(message, field=f"{field}{path}") from error


def domains_and_severity(value: Any) -> tuple[frozenset[str], int]:
    """Return the domains that a section's content names and the rank of its highest severity.

    ``value`` is what ``check_content`` returned. Without a model, each ``domain`` that is a name
    and each ``severity`` in the words of ``Severity`` counts, in objects at any depth; any other
    value under these keys is the section's own affair. These two are all that policy may know of
    it.
    """
    domains: set[str] = set()
    highest = 0
    for domain, severity in _statements(value):
        if isinstance(domain, str) and 0 < len(domain) <= MAX_NAME_CHARS:
            domains.add(domain)
        if isinstance(severity, str):
            highest = max(highest, _RANKS.get(severity, 0))
    return frozenset(domains), highest


def _statements(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what each item of a model, or each object in plain JSON, has as domain and severity."""
    if isinstance(value, tuple):
        yield from ((getattr(i, "domain", None), getattr(i, "severity", None)) for i in value)
        return
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item.get("domain"), item.get("severity")
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
