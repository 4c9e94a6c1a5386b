"""Decisions: what policy says of a peer and each handling class, kept in the database.

A decision stands until its basis changes: the policy, a treaty with the peer, or a fact about the
peer. ``PeerRow.decided`` is the digest of the basis. Standing is part of it only if the policy asks
for standing, and what was given only if the policy asks for that. If the basis has changed, every
class is decided anew; otherwise only classes that have no decision yet. A new version of the policy
has every class decided anew even if its text is an older one, since releases name the version that
allowed them: all decisions for a peer are of one version.

A record counts as one gift. Policy is asked for its header when the header is released. A section
follows once policy allows the section itself, even if policy would now deny the header.

Invariants: a section goes only to a peer that has its header or gets it too (invariant 1);
``backlog`` covers at least the parts that may wait, so nothing allowed is missed (invariant 2).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import IntEnum

from sqlalchemy import delete, exists, func, insert
from sqlmodel import Session, select

from comity.node.database.rows import last_number
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import (
    DecisionRow,
    HandlingClassRow,
    PeerRow,
    PolicyVersionRow,
    RulingRow,
)
from comity.node.policy.standing.allowance import decide_corrections
from comity.policies.evaluator import Decision, Policy
from comity.policies.facts import PartFacts, PeerFacts, Standing


class Backlog(IntEnum):
    """Which parts of a class may still wait, among those that release considered for a peer."""

    NONE = 0
    HEADERLESS = 1
    """Only sections whose header the peer has not been given."""
    SOME = 2
    ALL = 3
    """All, if there are any: nothing of the class has ever been released to the peer."""


@dataclass(frozen=True, slots=True)
class PartDecision:
    """The decision on a part by itself, and on its record's header if it is a section."""

    own: Decision
    header: Decision | None
    correction: Decision | None = None
    """The decision that lets corrections go (see ``standing.allowance``); None if none does."""

    @property
    def allowed(self) -> bool:
        """True if the peer may have this part even if it has nothing else of the record."""
        return self.own.allowed and (self.header is None or self.header.allowed)

    @property
    def follows(self) -> bool:
        """True if this is a section that only a peer with its header may have."""
        return self.own.allowed and not self.allowed

    @property
    def overall(self) -> Decision:
        """The decision for a peer that has nothing of the record: a header may bar its sections."""
        if self.header is None or not self.follows:
            return self.own
        return replace(self.header, message=f"its record is withheld: {self.header.message}")


def decide_classes(session: WriteSession, row: PeerRow, peer: PeerFacts, policy: Policy) -> None:
    """Bring a peer's decisions up to date with policy and facts."""
    # (1) the classes to decide: all of them if the basis has changed, otherwise only new ones
    basis = basis_digest(policy, peer)
    before: dict[int, DecisionRow] = {}
    query = select(HandlingClassRow)
    if basis == row.decided and _decided_by(session, row.institute, policy):
        known = exists().where(
            DecisionRow.peer == row.institute,
            DecisionRow.class_id == HandlingClassRow.class_id,
        )
        query = query.where(~known)
    else:
        rows = session.exec(select(DecisionRow).where(DecisionRow.peer == row.institute))
        before = {decision.class_id: decision for decision in rows}

    # (2) the decisions, and the basis on which they rest
    classes = list(session.exec(query.order_by(HandlingClassRow.class_id)))
    if classes:
        decisions = evaluate_classes(session, classes, peer, policy)
        _keep(session, row.institute, policy, decisions, before)
    row.decided = basis
    session.add(row)


def decide_anew(row: PeerRow) -> None:
    """Make a release due for a peer, which will decide all classes anew."""
    # no digest is empty
    row.decided = ""


def evaluate_classes(
    session: Session, classes: list[HandlingClassRow], peer: PeerFacts, policy: Policy
) -> dict[int, PartDecision]:
    """Return the decision on each class, by class id, without storing it.

    Every decision in the node comes from here, so release, preview and explanation agree.
    """
    headers = _missing_headers(session, classes)
    facts = {c.class_id: PartFacts.from_json(c.facts.encode()) for c in [*headers, *classes]}
    decided = dict(zip(facts, policy.decide_many(peer, list(facts.values())), strict=True))

    denied = {i: part for i, part in facts.items() if not decided[i].allowed}
    corrections = decide_corrections(peer, policy, denied)
    if policy.depends_on_giving:
        # what is allowed anyway lets corrections go too, also beyond an allowance
        allowed = {i: d for i, d in decided.items() if d.allowed and facts[i].own}
        corrections |= allowed

    return {
        c.class_id: PartDecision(
            own=decided[c.class_id],
            header=None if c.header_class_id is None else decided[c.header_class_id],
            correction=corrections.get(c.class_id),
        )
        for c in classes
    }


def _missing_headers(session: Session, classes: list[HandlingClassRow]) -> list[HandlingClassRow]:
    """Return the header classes of sections' classes that are not among the classes."""
    present = {c.class_id for c in classes}
    wanted = {c.header_class_id for c in classes} - present - {None}
    if not wanted:
        return []
    query = select(HandlingClassRow).where(HandlingClassRow.class_id.in_(wanted))
    return list(session.exec(query))


def _keep(
    session: WriteSession,
    peer: str,
    policy: Policy,
    decisions: dict[int, PartDecision],
    before: dict[int, DecisionRow],
) -> None:
    """Store decisions in place of those made before; backlogs stay as they are."""
    # a section that follows its header is released by its own rules, and denied by none
    deciding = {i: (d.own if d.follows else d.overall).rules for i, d in decisions.items()}
    correcting = {i: d.correction.rules for i, d in decisions.items() if d.correction}
    rulings = _rulings(session, policy, {*deciding.values(), *correcting.values()})
    rows = [
        {
            "peer": peer,
            "class_id": class_id,
            "allowed": decision.allowed,
            "follows": decision.follows,
            "ruling_id": rulings[deciding[class_id]],
            "correction_ruling_id": rulings[correcting[class_id]]
            if class_id in correcting
            else None,
            "backlog": before[class_id].backlog if class_id in before else Backlog.ALL,
        }
        for class_id, decision in decisions.items()
    ]

    connection = session.connection()
    if before:
        connection.execute(delete(DecisionRow).where(DecisionRow.peer == peer))
    connection.execute(insert(DecisionRow), rows)


def _rulings(
    session: WriteSession, policy: Policy, rule_sets: set[tuple[str, ...]]
) -> dict[tuple[str, ...], int]:
    """Return the ids of the rulings by some sets of rules; rulings that are missing are made."""
    # (1) those that are there
    version = _version(session, policy)
    wanted = {_ruling_digest(policy, version, rules): rules for rules in rule_sets}
    query = select(RulingRow.digest, RulingRow.ruling_id).where(RulingRow.digest.in_(wanted))
    found = {wanted[digest]: ruling_id for digest, ruling_id in session.exec(query)}

    # (2) the others
    last = last_number(session, RulingRow.ruling_id)
    for digest, rules in wanted.items():
        if rules not in found:
            last += 1
            found[rules] = last
            row = {"ruling_id": last, "digest": digest, "policy_digest": policy.digest}
            row |= {"policy_version": version, "rules": rules}
            session.connection().execute(insert(RulingRow), [row])
    return found


def _ruling_digest(policy: Policy, version: int, rules: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps([policy.digest, version, *rules]).encode()).hexdigest()


def _decided_by(session: Session, peer: str, policy: Policy) -> bool:
    """True if the policy's newest version made a peer's decisions, or if there are none."""
    # all of them are of one version, so any one tells
    query = select(RulingRow.policy_version)
    query = query.join(DecisionRow, DecisionRow.ruling_id == RulingRow.ruling_id)
    made_by = session.exec(query.where(DecisionRow.peer == peer).limit(1)).first()
    return made_by in (None, _version(session, policy))


def _version(session: Session, policy: Policy) -> int:
    """Return the newest version that has the policy's text; 0 before a first policy is set."""
    query = select(func.max(PolicyVersionRow.version)).where(
        PolicyVersionRow.digest == policy.digest
    )
    return session.exec(query).one() or 0


def basis_digest(policy: Policy, peer: PeerFacts) -> str:
    """Return the SHA-256, in hex, of all on which decisions about a peer depend."""
    standing = peer.standing if policy.depends_on_standing else Standing()
    if not policy.depends_on_giving:
        standing = replace(standing, given={}, given_ever={})

    # a count of 0 is left out, since it means the same as no count of that kind
    counts = (standing.received, standing.given, standing.credit, standing.rejected)
    ever = (standing.received_ever, standing.given_ever)
    known = [
        policy.terms_digest(peer.institute),
        peer.status,
        *(sorted(names) for names in (peer.groups, peer.clearances, peer.purposes)),
        *(sorted(item for item in by_kind.items() if item[1]) for by_kind in (*counts, *ever)),
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
