"""Cases: decisions that a policy must make, kept beside the policy and run as tests.

A policy's folder holds ``policy.cedar``, ``allow/*.json`` and ``deny/*.json``. The file name of a
case is a sentence, its words joined by hyphens. A case states the peer, the part, the action
(replicate if left out), the treaties in force (none if left out) and the ids of the rules that must
decide. Invariants: a case that cannot be read, or that lies in another place, is an error and is
never skipped; a case passes only if both the decision and the deciding rules are as stated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any, Final

from pydantic import ValidationError, field_validator

from comity.policies.cedar.source import decode
from comity.policies.evaluator import Decision, Policy
from comity.policies.facts import Action, PartFacts, PeerFacts
from comity.policies.treaty import Treaty
from comity.record import ijson
from comity.record.errors import BadConfig, InvalidInput, NotFound
from comity.record.models import Model, describe

POLICY_FILE: Final = "policy.cedar"

_ALLOW: Final = "allow"
_EFFECTS: Final = (_ALLOW, "deny")
_SUFFIX: Final = ".json"

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
"""Defaults of a case's part: the header of a record of this institute, without conditions."""


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
    """One case: ``name`` is its sentence, ``allowed`` and ``rules`` are the decision expected."""

    name: str
    allowed: bool
    peer: PeerFacts
    part: PartFacts
    action: Action
    treaties: tuple[Treaty, ...]
    rules: tuple[str, ...]

    def run(self, policy: Policy) -> CaseOutcome:
        """Let a policy decide the case, linked for the case's treaties and no others."""
        linked = policy.with_treaties(self.treaties)
        return CaseOutcome(self, linked.decide(self.peer, self.part, self.action))


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """A case and the decision that the policy made."""

    case: Case
    decision: Decision

    @property
    def passed(self) -> bool:
        """True if the decision is the expected one, by the expected rules in any order."""
        expected = (self.case.allowed, sorted(self.case.rules))
        return expected == (self.decision.allowed, sorted(self.decision.rules))

    @property
    def message(self) -> str:
        """The expected and the actual decision, in one line."""
        effect = "allowed" if self.case.allowed else "denied"
        rules = ", ".join(self.case.rules) or "no rule"
        return f"{self.case.name}: expected {effect} by {rules}, got {self.decision.message}"


def read_policy(folder: Traversable) -> Policy:
    """Read and check the policy of a folder.

    Raises:
        NotFound: the folder holds no ``policy.cedar``.
        BadPolicy, LimitExceeded: see ``Policy.parse``.
        BadConfig: the file cannot be read.

    """
    file = folder.joinpath(POLICY_FILE)
    with _reading(POLICY_FILE):
        if not file.is_file():
            raise NotFound(f"expected {POLICY_FILE} in {folder.name}, got no such file")
        data = file.read_bytes()
    return Policy.parse(decode(data))


def read_cases(folder: Traversable) -> list[Case]:
    """Read all cases of a folder: allow before deny, each in alphabetical order.

    Raises:
        NotFound: the folder holds no case.
        InvalidInput: a file is not a case, or the folder holds something that would be skipped:
            another folder, or a case outside allow and deny; names the file and the field.
        BadConfig: a file or folder cannot be read; names the file or folder.

    """
    # a misspelt folder, such as allows, must not pass unnoticed with all of its cases
    found = {item.name: item for item in _listed(folder, folder.name)}
    with _reading(folder.name):
        folders = {name for name, item in found.items() if item.is_dir()}
    for name in found:
        _check_place(name, is_dir=name in folders)

    cases = [
        _read_case(file, f"{effect}/{file.name}", effect == _ALLOW)
        for effect in _EFFECTS
        if effect in found
        for file in _listed(found[effect], effect)
    ]

    if not cases:
        raise NotFound(f"expected allow/*.json or deny/*.json in {folder.name}, got neither")
    return cases


def _listed(folder: Traversable, path: str) -> list[Traversable]:
    with _reading(path):
        return sorted(folder.iterdir(), key=lambda item: item.name)


def _check_place(name: str, *, is_dir: bool) -> None:
    if name in _EFFECTS and not is_dir:
        raise InvalidInput("expected a folder of cases, got a file", field=name)
    # a name that begins with a dot belongs to another tool, such as version control
    if is_dir and name not in _EFFECTS and not name.startswith("."):
        raise InvalidInput("expected no folders but allow and deny, got another", field=name)
    if not is_dir and name.endswith(_SUFFIX):
        raise InvalidInput("expected cases in allow or deny, got one beside them", field=name)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=path) from error


def _read_case(file: Traversable, path: str, allowed: bool) -> Case:
    if not file.name.endswith(_SUFFIX):
        raise InvalidInput("expected a file whose name ends in .json", field=path)
    with _reading(path):
        data = file.read_bytes()

    value = ijson.loads(data, field=path)
    try:
        found = _CaseFile.parse(value)
    except ValidationError as error:
        where, message = describe(error)
        raise InvalidInput(message, field=path + where) from error
    except InvalidInput as error:
        raise InvalidInput(error.message, field=f"{path}.{error.field}") from error

    name = file.name.removesuffix(_SUFFIX).replace("-", " ")
    return Case(name, allowed, found.peer, found.part, found.action, found.treaties, found.rules)
