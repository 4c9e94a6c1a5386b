"""What a monitor tells of a log."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class LogFinding:
    """Something that contradicts. ``evidence`` is a file that proves it, None where nothing can."""

    reason: str
    message: str
    evidence: Path | None = None

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        evidence = str(self.evidence) if self.evidence else None
        return {"reason": self.reason, "message": self.message, "evidence": evidence}


class LookResult(StrEnum):
    """What a look came to. Unchecked: nothing contradicts, but not all could be looked at."""

    HOLDS = "holds"
    CONTRADICTS = "contradicts"
    UNCHECKED = "unchecked"


@dataclass(slots=True)
class Report:
    """What one look at a log showed.

    ``name`` is how the log was named; ``before`` the size at the last look, 0 at the first;
    ``cosigned`` how many known witnesses cosigned. ``shown`` are records that one's node received
    and that are in the log, ``pending`` those that came too recently to say; both are None where
    no node was asked. ``problem`` says why something could not be looked at, and is else empty.
    """

    name: str
    institute: str = ""
    size: int = 0
    before: int = 0
    cosigned: int = 0
    shown: int | None = None
    pending: int | None = None
    findings: list[LogFinding] = field(default_factory=list)
    problem: str = ""

    @property
    def withheld(self) -> int | None:
        """How many entries were not shown to us; None where no node was asked."""
        return None if self.shown is None else self.size - self.shown

    @property
    def result(self) -> LookResult:
        """What the look came to."""
        if self.findings:
            return LookResult.CONTRADICTS
        return LookResult.UNCHECKED if self.problem else LookResult.HOLDS

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        counted = ("name", "institute", "size", "before", "cosigned", "shown", "pending")
        return {
            **{name: getattr(self, name) for name in counted},
            "result": str(self.result),
            "withheld": self.withheld,
            "findings": [finding.to_value() for finding in self.findings],
            "problem": self.problem,
        }
