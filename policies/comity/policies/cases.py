"""Cases: what a policy must allow and must deny, kept beside it and run as tests.

A policy's folder holds ``policy.cedar``, ``allow/*.json`` and ``deny/*.json``; a case's file name
is a sentence, words joined by hyphens. A case names the peer, the part, the action (replicate
unless it says otherwise), the treaties in force (none unless it says so) and the ids of the rules
that must decide. Invariants: a case that cannot be read is an error, never skipped; a case passes
only if the decision and the deciding rules are those that it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, Final

from pydantic import ValidationError, field_validator

from comity.policies.evaluator import Policy, Verdict
from comity.policies.facts import Action, PartFacts, PeerFacts
from comity.policies.treaty import Treaty
from comity.record import ijson
from comity.record.errors import BadPolicy, InvalidInput, NotFound
from comity.record.models import Model, describe

POLICY_FILE: Final = "policy.cedar"

_UNSAID: Final[dict[str, Any]] = {
    "section": "",
    "releasableTo": None,
    "onward": False,
    "purposes": [],
    "tags": [],
    "domains": [],
    "severity": 0,
    "own": True,
}
"""What a case's part is where the case does not say: a header of our own, without conditions."""


class _CaseFile(Model):
    peer: PeerFacts
    part: PartFacts
    action: Action = Action.REPLICATE
    treaties: tuple[Treaty, ...] = ()
    rules: tuple[str, ...]

    @field_validator("part", mode="before")
    @classmethod
    def _fill_in(cls, value: Any) -> Any:
        return _UNSAID | value if isinstance(value, dict) else value


@dataclass(frozen=True, slots=True)
class Case:
    """One case: ``name`` is its sentence, ``allowed`` and ``rules`` are what must come out."""

    name: str
    allowed: bool
    peer: PeerFacts
    part: PartFacts
    action: Action
    treaties: tuple[Treaty, ...]
    rules: tuple[str, ...]

    def run(self, policy: Policy) -> Outcome:
        """Put the case to a policy, linked for the case's treaties and no others."""
        linked = policy.with_treaties(self.treaties)
        return Outcome(self, linked.decide(self.peer, self.part, self.action))


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case and the verdict it got."""

    case: Case
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether the verdict is the expected one, by the expected rules in any order."""
        expected = (self.case.allowed, sorted(self.case.rules))
        return expected == (self.verdict.allowed, sorted(self.verdict.rules))

    @property
    def message(self) -> str:
        """What was expected and what came out, in one line."""
        effect = "allowed" if self.case.allowed else "denied"
        rules = ", ".join(self.case.rules) or "no rule"
        return f"{self.case.name}: expected {effect} by {rules}, got {self.verdict.message}"


def read_policy(folder: Traversable) -> Policy:
    """Read and check the policy of a folder.

    Raises:
        NotFound: there is no ``policy.cedar`` in it.
        BadPolicy, LimitExceeded: see ``Policy.parse``.

    """
    file = folder.joinpath(POLICY_FILE)
    if not file.is_file():
        raise NotFound(f"expected {POLICY_FILE} in {folder.name}, got no such file")
    try:
        return Policy.parse(file.read_bytes().decode())
    except UnicodeDecodeError as error:
        raise BadPolicy(f"expected UTF-8, got byte 0x{error.object[error.start]:02x}") from error


def read_cases(folder: Traversable) -> list[Case]:
    """Read all cases of a folder: allow before deny, each in alphabetical order.

    Raises:
        NotFound: there is none.
        InvalidInput: a file is not a case; names the file and the field.

    """
    cases = [
        _read_case(file, f"{effect}/{file.name}", effect == "allow")
        for effect in ("allow", "deny")
        if folder.joinpath(effect).is_dir()
        for file in sorted(folder.joinpath(effect).iterdir(), key=lambda file: file.name)
    ]
    if not cases:
        raise NotFound(f"expected allow/*.json or deny/*.json in {folder.name}, got neither")
    return cases


def _read_case(file: Traversable, path: str, allowed: bool) -> Case:
    stem, dot, extension = file.name.rpartition(".")
    if (dot, extension) != (".", "json"):
        raise InvalidInput("expected a file whose name ends in .json", field=path)
    value = ijson.loads(file.read_bytes(), field=path)
    try:
        found = _CaseFile.parse(value)
    except ValidationError as error:
        where, message = describe(error)
        raise InvalidInput(message, field=path + where) from error
    except InvalidInput as error:
        raise InvalidInput(error.message, field=f"{path}.{error.field}") from error
    name = stem.replace("-", " ")
    return Case(name, allowed, found.peer, found.part, found.action, found.treaties, found.rules)
