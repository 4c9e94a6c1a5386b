"""The institute's policy in the database: versions, the newest of which is in force.

Invariants: only a policy that parses and validates is ever stored; versions are kept, so that every
release can be read beside the policy that allowed it. Before a first policy is set, nothing is
permitted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sqlmodel import Session, col, select

from comity.node.tables import PolicyVersion
from comity.policies.evaluator import Policy

NO_POLICY = "// No policy has been set: nothing is permitted.\n"


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy, its version (0 before a first one is set) and since when it is in force."""

    policy: Policy
    version: int
    set_time: int | None


def policy_in_force(session: Session) -> PolicyInForce:
    """Return the newest policy."""
    query = select(PolicyVersion).order_by(col(PolicyVersion.version).desc()).limit(1)
    row = session.exec(query).first()
    if row is None:
        return PolicyInForce(_parse(NO_POLICY), 0, None)
    return PolicyInForce(_parse(row.text), row.version, row.set_time)


def set_policy(session: Session, text: str, now: int) -> PolicyInForce:
    """Put a policy in force, in ``Store.write``; the same text again changes nothing.

    Raises:
        BadPolicy, LimitExceeded: it does not parse or validate; the old one stays in force.
    """
    policy, current = Policy.parse(text), policy_in_force(session)
    if current.version and current.policy.digest == policy.digest:
        return current
    version = current.version + 1
    session.add(PolicyVersion(version=version, digest=policy.digest, text=text, set_time=now))
    session.flush()
    return PolicyInForce(policy, version, now)


@lru_cache(maxsize=4)
def _parse(text: str) -> Policy:
    return Policy.parse(text)
