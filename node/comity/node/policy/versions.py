"""The institute's policy in the database: versions, the newest of which is in force.

Before a first policy is set, nothing is permitted. Every decision uses ``policy_at``, which links
the treaties that are in force. Invariants: only a policy that parses and validates is stored; all
versions are kept, so that each release can be explained by the policy that allowed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlmodel import Session, select

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PolicyVersionRow
from comity.node.policy.treaties import treaties_in_force
from comity.policies.cedar.rules import parse_rules
from comity.policies.evaluator import Policy
from comity.policies.treaty import Treaty
from comity.record.errors import NotFound
from comity.record.limits import MAX_NAME_CHARS

NO_POLICY = "// No policy has been set: nothing is permitted.\n"


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy, its version, and the time since which it is in force.

    ``name`` is the preset or file that the policy came from, empty if it came from neither. Before
    a first policy is set, ``version`` is 0 and ``set_time`` (Unix time in milliseconds) is None.
    """

    policy: Policy
    version: int
    name: str
    set_time: int | None

    @property
    def is_set(self) -> bool:
        """True once a first policy was set; before, nothing is permitted."""
        return self.version > 0

    @property
    def title(self) -> str:
        """The policy in words, such as ``balanced, version 3``."""
        return policy_title(self.name, self.version) if self.is_set else "none"


def policy_title(name: str, version: int) -> str:
    """Return a version of the policy in words: its name, if it has one, and its number."""
    return f"{name}, version {version}" if name else f"version {version}"


def policy_in_force(session: Session) -> PolicyInForce:
    """Return the newest policy, without treaties."""
    query = select(PolicyVersionRow).order_by(PolicyVersionRow.version.desc()).limit(1)
    row = session.exec(query).first()
    if row is None:
        return PolicyInForce(_parse(NO_POLICY), 0, "", None)
    return PolicyInForce(_parse(row.text), row.version, row.name, row.set_time)


def policy_at(session: Session, now: int) -> Policy:
    """Return the policy that decides at a time: the newest, linked for the treaties in force."""
    return with_treaties(session, policy_in_force(session).policy, now)


def with_treaties(session: Session, policy: Policy, now: int) -> Policy:
    """Return a policy linked for the treaties that are in force at a time."""
    if not policy.has_templates:
        return policy
    return _linked(policy, tuple(treaties_in_force(session, now)))


def set_policy(session: WriteSession, text: str, now: int, name: str = "") -> PolicyInForce:
    """Put a policy in force; setting the same text again changes nothing.

    ``name`` says where the text came from, at most MAX_NAME_CHARS; it decides nothing.

    Raises:
        BadPolicy: the text does not parse or validate; the old policy stays in force.
        LimitExceeded: the text is over MAX_POLICY_BYTES, or the name too long; likewise.
    """
    MAX_NAME_CHARS.check(len(name), "name")
    policy, current = Policy.parse(text), policy_in_force(session)
    if current.is_set and current.policy.digest == policy.digest:
        return current

    version = current.version + 1
    row = PolicyVersionRow(
        version=version, digest=policy.digest, text=text, name=name, set_time=now
    )
    session.add(row)
    session.flush()
    return PolicyInForce(policy, version, name, now)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A version, and the ids of the rules that it added, removed or changed."""

    version: PolicyVersionRow
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


def policy_log(session: Session) -> list[PolicyChange]:
    """Return what each version changed against the one before it, newest first."""
    versions = session.exec(select(PolicyVersionRow).order_by(PolicyVersionRow.version))
    before: Mapping[str, Any] = {}
    found = []
    for version in versions:
        # read without the schema, which may have changed since
        rules = {rule.rule_id: rule.parsed for rule in parse_rules(version.text)}
        both = [rule_id for rule_id in rules if rule_id in before]
        found.append(
            PolicyChange(
                version,
                tuple(rule_id for rule_id in rules if rule_id not in before),
                tuple(rule_id for rule_id in before if rule_id not in rules),
                tuple(rule_id for rule_id in both if rules[rule_id] != before[rule_id]),
            )
        )
        before = rules
    return found[::-1]


def find_version(session: Session, number: int) -> PolicyVersionRow:
    """Return a version of the policy.

    Raises:
        NotFound: there is no version with that number.
    """
    row = session.get(PolicyVersionRow, number)
    if row is None:
        hint = "comity-node policy log shows the versions"
        raise NotFound(f"no version {number} of the policy", field="version", hint=hint)
    return row


# a parsed or linked policy is kept, since each release and each question needs it again


@lru_cache(maxsize=4)
def _linked(policy: Policy, treaties: tuple[Treaty, ...]) -> Policy:
    return policy.with_treaties(treaties)


@lru_cache(maxsize=4)
def _parse(text: str) -> Policy:
    return Policy.parse(text)
