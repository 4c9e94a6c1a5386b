"""Reports of a monitor: what one look at a log showed, and what it found wrong.

Invariant: a finding says that something contradicts. A thing that could not be looked at is a
problem, and never a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class LogFinding:
    """A contradiction. ``reason`` is a word such as SPLIT_VIEW or NOT_LOGGED, for programs.

    ``evidence`` is a file that proves the contradiction to anyone; None means that no file can.
    """

    reason: str
    message: str
    evidence: Path | None = None

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        evidence = str(self.evidence) if self.evidence else None
        return {"reason": self.reason, "message": self.message, "evidence": evidence}


class LookResult(StrEnum):
    """The result of a look. Unchecked: nothing contradicts, but part of the log was not seen."""

    HOLDS = "holds"
    CONTRADICTS = "contradicts"
    UNCHECKED = "unchecked"


@dataclass(slots=True)
class Report:
    """The outcome of one look at a log.

    ``name`` is the name that the log was asked for by. ``size`` is its number of entries, and
    ``before`` that of the last look (0 at the first). ``cosigned`` counts the known witnesses that
    cosigned the checkpoint. ``shown`` counts the records that our own node received and that are in
    the log, and ``pending`` those that came too recently to be expected there; both are None if no
    node was asked. ``problem`` says why something could not be looked at, and is otherwise empty.
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
        """Number of entries that were not shown to us; None if no node was asked."""
        return None if self.shown is None else self.size - self.shown

    @property
    def result(self) -> LookResult:
        """The result: a finding weighs more than a problem."""
        if self.findings:
            return LookResult.CONTRADICTS
        return LookResult.UNCHECKED if self.problem else LookResult.HOLDS

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form, with the computed ``result`` and ``withheld``."""
        counted = ("name", "institute", "size", "before", "cosigned", "shown", "pending")
        return {
            **{name: getattr(self, name) for name in counted},
            "result": str(self.result),
            "withheld": self.withheld,
            "findings": [finding.to_value() for finding in self.findings],
            "problem": self.problem,
        }
