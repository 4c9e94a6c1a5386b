"""Steps of a verification: what was checked, by which specification, with which outcome.

A step that fails does not end a verification. Every step that can still be taken is taken, so that
everything that is wrong is named.

Invariants: a step is skipped only if it does not apply, or if a step that it needs did not pass;
the verdict is never better than the worst step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from comity.client.verify.record_view import RecordView, SectionView
from comity.record.errors import (
    ComityError,
    ExpiredRoot,
    QuorumNotMet,
    UnknownKey,
    Unproven,
    WithdrawnRecord,
)
from comity.record.record import Record
from comity.record.statement import Statement
from comity.record.times import format_time
from comity.record.withdrawal import Withdrawal


class Outcome(StrEnum):
    """The outcome of a step.

    Unknown: nothing is wrong, but a key, a proof or a quorum is not at hand. Stale: the step held
    until a time that has passed. Withdrawn: the issuer has taken the record back.
    """

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"
    STALE = "stale"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """The verdict of all steps.

    Invalid: something contradicts. Unverifiable: nothing contradicts, but a key, a proof or a
    quorum is not at hand. Withdrawn: everything holds, but the issuer has withdrawn the record.
    Stale: everything holds, but the issuer's profile has expired.
    """

    VALID = "valid"
    INVALID = "invalid"
    UNVERIFIABLE = "unverifiable"
    WITHDRAWN = "withdrawn"
    STALE = "stale"


_OUTCOMES: Final[dict[type[ComityError], Outcome]] = {
    UnknownKey: Outcome.UNKNOWN,
    Unproven: Outcome.UNKNOWN,
    QuorumNotMet: Outcome.UNKNOWN,
    WithdrawnRecord: Outcome.WITHDRAWN,
    ExpiredRoot: Outcome.STALE,
}
"""Errors that have another outcome than FAILED."""

_VERDICTS: Final = (
    (Outcome.FAILED, Verdict.INVALID),
    (Outcome.UNKNOWN, Verdict.UNVERIFIABLE),
    (Outcome.WITHDRAWN, Verdict.WITHDRAWN),
    (Outcome.STALE, Verdict.STALE),
)
"""Worst first."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``number`` counts from 1, and ``spec`` names the specification.

    ``detail`` is what was found, or what is wrong. ``reason`` is the error's reason, such as
    BAD_SIGNATURE, and empty if there was no error.
    """

    number: int
    name: str
    spec: str
    outcome: Outcome
    detail: str
    reason: str = ""

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {name: getattr(self, name) for name in self.__slots__}


class Walk:
    """Takes steps one after the other and keeps them. ``steps`` are those taken before."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self._steps = list(steps)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far, numbered from 1."""
        return tuple(self._steps)

    def take(self, name: str, spec: str, check: Callable[[], str], *needs: str) -> None:
        """Take a step, unless one of the steps in ``needs`` did not pass.

        ``check`` returns the step's detail, and raises a ComityError if something is wrong.
        """
        # what a failed step would have established is not there to be checked
        missing = [step.name for step in self._steps if step.name in needs and not _passed(step)]
        if missing:
            self.skip(name, spec, f"needs: {', '.join(missing)}")
            return

        try:
            self._add(name, spec, Outcome.OK, check())
        except ComityError as error:
            outcome = _OUTCOMES.get(type(error), Outcome.FAILED)
            self._add(name, spec, outcome, str(error), error.reason)

    def skip(self, name: str, spec: str, why: str) -> None:
        """Leave a step out, with the reason as its detail."""
        self._add(name, spec, Outcome.SKIPPED, why)

    def _add(self, name: str, spec: str, outcome: Outcome, detail: str, reason: str = "") -> None:
        self._steps.append(Step(len(self._steps) + 1, name, spec, outcome, detail, reason))


@dataclass(frozen=True, slots=True)
class Verification:
    """All steps, and what they could read of the record.

    ``institutes`` are those whose bundles list the signing key, empty if none does. ``statement``
    is None if it could not be read; believe it only if the verdict is valid, withdrawn or stale.
    ``witnessed_time`` is the newest time (UTC) at which a known witness cosigned a checkpoint of
    the record's log, and ``expiry`` (UTC) is that of the issuer's profile; None means that nothing
    at hand says so. So it is with ``withdrawal``, the issuer's notice.
    """

    record: Record
    steps: tuple[Step, ...]
    institutes: tuple[str, ...]
    statement: Statement | None
    sections: tuple[SectionView, ...]
    witnessed_time: datetime | None = None
    expiry: datetime | None = None
    withdrawal: Withdrawal | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict of the steps."""
        return verdict_of(self.steps)

    @property
    def view(self) -> RecordView | None:
        """The record as far as it can be read; None if there is no statement."""
        if self.statement is None:
            return None
        keyid = self.record.envelope.keyid
        return RecordView(self.record.record_id, keyid, self.statement, self.sections)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form, without the sections' content."""
        return {
            "recordId": self.record.record_id,
            "verdict": str(self.verdict),
            "keyid": self.record.envelope.keyid,
            "institutes": list(self.institutes),
            "issuer": str(self.statement.issuer) if self.statement else None,
            "witnessedTime": _time(self.witnessed_time),
            "expiry": _time(self.expiry),
            "withdrawal": self.withdrawal.to_value() if self.withdrawal else None,
            "steps": [step.to_value() for step in self.steps],
            "sections": [
                {"index": s.index, "name": s.name or None, "status": s.status, "problem": s.problem}
                for s in self.sections
            ],
        }


def verdict_of(steps: Iterable[Step]) -> Verdict:
    """Return the verdict of steps: that of the worst one. Skipped steps do not count."""
    outcomes = {step.outcome for step in steps}
    return next((verdict for worst, verdict in _VERDICTS if worst in outcomes), Verdict.VALID)


def _passed(step: Step) -> bool:
    # what a stale step established did hold, so later steps can build on it
    return step.outcome in (Outcome.OK, Outcome.STALE)


def _time(time: datetime | None) -> str | None:
    return format_time(time) if time else None
