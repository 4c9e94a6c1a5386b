"""Severity: how bad an event would be, as a word in records and as a rank in policies."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How bad an event would be, mildest first."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The rank, from 1 for low to 4 for critical."""
        return _RANKS[self]


_RANKS: Final[Mapping[str, int]] = {word: rank for rank, word in enumerate(Severity, start=1)}


def rank_of(word: str) -> int:
    """Return the rank of a severity; 0 stands for a word that is none."""
    return _RANKS.get(word, 0)
