"""Plans of records for property tests: their drafts, and the facts that the reference reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from comity.client.drafts.draft import Draft
from tests.support.drafts import card
from tests.support.institutes import HandClock
from tests.support.reference_view import Facts, Record

SUBSTANTIAL: Final = "It happens, and this is told at length. " * 8
RANKS: Final = {"moderate": 2, "high": 3, "critical": 4}


@dataclass(frozen=True)
class RecordPlan:
    """The contents of a record. Embargoes are in seconds after its publication.

    ``risks`` is what is stricter for that section, ``substance`` the section that is long ("none"
    is none of them). ``subject`` is name and digest of what it is about; ``renames`` says which of
    the two is another one in further records about the same.
    """

    kind: str
    tags: tuple[str, ...]
    handling: dict[str, Any]
    risks: dict[str, Any] = field(default_factory=dict)
    substance: str = "none"
    severity: str = "high"
    domain: str = "bio"
    renames: bool = False
    subject: tuple[str, str] = ("", "")
    supersedes: str | None = None
    withdraws: tuple[str, ...] = ()

    def draft(self, clock: HandClock) -> Draft:
        """Return the draft, dated by the clock."""
        name, digest = self.subject
        is_notice = self.kind == "withdrawal"

        return card(
            kind=self.kind,
            subject={"name": name, "digest": digest},
            supersedes=self.supersedes,
            references=[{"record": named, "relation": "withdraws"} for named in self.withdraws],
            tags=list(self.tags),
            handling=_dated(self.handling, clock),
            section_handling={} if is_notice else {"risks": _dated(self.risks, clock)},
            sections={} if is_notice else self._sections(),
        )

    def parts(self, record_id: str, issuer: str, now: int) -> list[Facts]:
        """Return the facts of the header and the sections, if published at ``now``."""
        record = Record(
            record_id,
            self.kind,
            issuer,
            *self.subject,
            frozenset(self.tags),
            self.substance,
            self.supersedes,
            frozenset(self.withdraws),
        )

        header = _facts(record, "", self.handling, now)
        if self.kind == "withdrawal":
            return [header]

        ranks = [RANKS[severity] for severity in ("moderate", self.severity)]
        domains = frozenset({self.domain})
        return [
            header,
            _facts(record, "limitations", self.handling, now, ranks[0]),
            _facts(record, "risks", self.handling | self.risks, now, ranks[1], domains),
        ]

    def _sections(self) -> dict[str, Any]:
        statement = SUBSTANTIAL if self.substance == "limitations" else "Forgets."
        scenario = SUBSTANTIAL if self.substance == "risks" else "Uplift."
        risk = {"domain": self.domain, "scenario": scenario, "severity": self.severity}
        return {
            "limitations": [{"statement": statement, "severity": "moderate"}],
            "risks": [risk],
        }


def subject(number: int) -> tuple[str, str]:
    """Return the name and the digest of a model."""
    name = f"pkg:generic/example/model-{number}@1"
    return name, sha256(name.encode()).hexdigest()


def _facts(
    record: Record,
    section: str,
    handling: dict[str, Any],
    now: int,
    severity: int = 0,
    domains: frozenset[str] = frozenset(),
) -> Facts:
    seconds = handling.get("embargo")
    embargo = None if seconds is None else now + seconds * 1000
    return Facts(record, section, handling, embargo, severity, domains)


def _dated(handling: dict[str, Any], clock: HandClock) -> dict[str, Any]:
    seconds = handling.get("embargo")
    return handling if seconds is None else handling | {"embargo": clock.in_seconds(seconds)}
