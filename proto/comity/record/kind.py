"""The kinds of record."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """The kind of a record; its predicate type is ``urn:comity:<kind>:v1``."""

    MODEL_CARD = "model-card"
    EVALUATION = "evaluation"
    INCIDENT = "incident"
    DATASET = "dataset"
    CRITERIA = "criteria"
    RESOURCE = "resource"
    GUIDANCE = "guidance"
    ENDORSEMENT = "endorsement"
    WITHDRAWAL = "withdrawal"
