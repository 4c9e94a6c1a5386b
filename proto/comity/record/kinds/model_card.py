"""Content models of a model card: what each of its sections holds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import Field

from comity.record.handling import Name
from comity.record.models import Integer, Line, Model, Number, Sha256, Text
from comity.record.severity import Severity


class Likelihood(StrEnum):
    """How often an event is expected, rarest first."""

    RARE = "rare"
    UNLIKELY = "unlikely"
    POSSIBLE = "possible"
    LIKELY = "likely"
    ALMOST_CERTAIN = "almost-certain"


class Level(StrEnum):
    """How far a capability reaches, lowest first, compared with professionals of the task."""

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
    """Uses that the model is made for, and uses that it is not made for."""

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
    """Text of a source, unchanged."""

    heading: Line = Field(description="The heading that it stood under.")
    line: Annotated[Integer, Field(ge=1)] = Field(
        description="Line of the heading, counted from 1."
    )
    text: Text = Field(description="The text under the heading, unchanged.")


class Source(Model):
    """A source from which the card's content was taken."""

    name: Line = Field(description="File name or title.")
    url: Line | None = Field(None, description="Where it was found.")
    sha256: Sha256 | None = Field(None, description="SHA-256 of the file, lower-case hex.")
    format: Line | None = Field(None, description="Format of the file.")
    excerpts: tuple[Excerpt, ...] = Field((), description="Passages that the card draws on.")


MODEL_CARD_SECTIONS: Final[Mapping[str, Any]] = MappingProxyType(
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
"""The model of each section by its name, in the order in which sections are shown."""
