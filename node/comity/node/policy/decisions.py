"""Decisions: what policy says of a peer and each handling class, kept in the database.

A decision stands until the policy, a treaty with the peer or a fact about the peer changes;
``PeerRow.decided`` is the digest of them all. Standing enters it only if the policy asks for it,
and what was given only if it asks for that. Then every class is decided anew; otherwise only
classes that have no decision yet. So it is where a version of the policy says the same as the one
that decided, since releases name the version that allowed them: what is decided for a peer is all
of one version.

A record is one gift: whether it is given is asked of its header, when the header is released. Its
sections follow once policy, asked of the section itself, allows them; that the header would not be
given today does not hold them back. Invariants: a section goes only to who has its header, or gets
it as well; ``backlog`` never says less than what may wait, so that nothing allowed is missed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from enum import IntEnum

from sqlalchemy import delete, exists, func, insert
from sqlmodel import Session, select

from comity.node.database.rows import last_number
from comity.node.database.store import WriteSession
from comity.node.database.tables import (
    DecisionRow,
    HandlingClassRow,
    PeerRow,
    PolicyVersionRow,
    RulingRow,
)
from comity.policies.evaluator import Decision, Policy
from comity.policies.facts import PartFacts, PeerFacts, Standing


class Backlog(IntEnum):
    """Which parts of a class, of those that release has considered for a peer, may wait."""

    NONE = 0
    HEADERLESS = 1
    """Sections whose header the peer has not been given, and no others."""
    SOME = 2
    ALL = 3
    """All, be they none: nothing of the class has ever been released to the peer."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What policy says of a part, and of its record's header where it is a section."""

    own: Decision
    header: Decision | None

    @property
    def allowed(self) -> bool:
        """Whether the part may be given to who has nothing of its record."""
        return self.own.allowed and (self.header is None or self.header.allowed)

    @property
    def follows(self) -> bool:
        """Whether it is a section that may be given only to who has its header."""
        return self.own.allowed and not self.allowed

    @property
    def verdict(self) -> Decision:
        """The verdict as far as the peer has nothing of the record: a header bars its sections."""
        if self.header is None or not self.follows:
            return self.own
        return replace(self.header, message=f"its record is withheld: {self.header.message}")


def decide_classes(session: WriteSession, row: PeerRow, peer: PeerFacts, policy: Policy) -> None:
    """Bring a peer's decisions up to date with policy and facts."""
    now_known = stamp(policy, peer)
    before: dict[int, DecisionRow] = {}
    query = select(HandlingClassRow)
    if now_known == row.decided and _decided_by(session, row.institute, policy):
        known = exists().where(
            DecisionRow.peer == row.institute,
            DecisionRow.class_id == HandlingClassRow.class_id,
        )
        query = query.where(~known)
    else:
        rows = session.exec(select(DecisionRow).where(DecisionRow.peer == row.institute))
        before = {decision.class_id: decision for decision in rows}
    classes = list(session.exec(query.order_by(HandlingClassRow.class_id)))
    if classes:
        judged = judge(session, classes, peer, policy)
        _keep(session, row.institute, policy, judged, before)
    row.decided = now_known
    session.add(row)


def decide_anew(row: PeerRow) -> None:
    """Let the next release decide all of a peer's classes anew, and thus let one be due."""
    row.decided = ""


def judge(
    session: Session, classes: list[HandlingClassRow], peer: PeerFacts, policy: Policy
) -> dict[int, Judgement]:
    """Return what policy says of each class.

    Every decision in the node comes from here: release, preview and explanation agree.
    """
    headers = _headers(session, classes)
    facts = {c.class_id: PartFacts.from_json(c.facts.encode()) for c in [*headers, *classes]}
    verdicts = dict(zip(facts, policy.decide_many(peer, list(facts.values())), strict=True))
    return {
        c.class_id: Judgement(
            verdicts[c.class_id],
            None if c.header_class_id is None else verdicts[c.header_class_id],
        )
        for c in classes
    }


def _headers(session: Session, classes: list[HandlingClassRow]) -> list[HandlingClassRow]:
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
    judged: dict[int, Judgement],
    before: dict[int, DecisionRow],
) -> None:
    deciding = {i: (j.own if j.follows else j.verdict).rules for i, j in judged.items()}
    rulings = _rulings(session, policy, set(deciding.values()))
    rows = [
        {
            "peer": peer,
            "class_id": class_id,
            "allowed": judgement.allowed,
            "follows": judgement.follows,
            "ruling_id": rulings[deciding[class_id]],
            "backlog": before[class_id].backlog if class_id in before else Backlog.ALL,
        }
        for class_id, judgement in judged.items()
    ]
    connection = session.connection()
    if before:
        connection.execute(delete(DecisionRow).where(DecisionRow.peer == peer))
    connection.execute(insert(DecisionRow), rows)


def _rulings(
    session: WriteSession, policy: Policy, rule_sets: set[tuple[str, ...]]
) -> dict[tuple[str, ...], int]:
    version = _version(session, policy)
    wanted = {_ruling_digest(policy, version, rules): rules for rules in rule_sets}
    query = select(RulingRow.digest, RulingRow.ruling_id).where(RulingRow.digest.in_(wanted))
    found = {wanted[digest]: ruling_id for digest, ruling_id in session.exec(query)}
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
    """Whether the policy's newest version made a peer's decisions, if there are any."""
    query = select(RulingRow.policy_version)
    query = query.join(DecisionRow, DecisionRow.ruling_id == RulingRow.ruling_id)
    made_by = session.exec(query.where(DecisionRow.peer == peer).limit(1)).first()
    return made_by in (None, _version(session, policy))


def _version(session: Session, policy: Policy) -> int:
    """Return the newest version with the policy's text; 0 before a first policy is set."""
    query = select(func.max(PolicyVersionRow.version)).where(
        PolicyVersionRow.digest == policy.digest
    )
    return session.exec(query).one() or 0


def stamp(policy: Policy, peer: PeerFacts) -> str:
    """Return a digest of all that decisions about a peer depend on, hex.

    A count of none is left out, since it says what no count of that kind says.
    """
    standing = peer.standing if policy.depends_on_standing else Standing()
    if not policy.depends_on_giving:
        standing = replace(standing, given={}, given_ever={})
    counts = (standing.received, standing.given, standing.credit, standing.rejected)
    ever = (standing.received_ever, standing.given_ever)
    known = [
        policy.terms_digest(peer.institute),
        peer.status,
        *(sorted(names) for names in (peer.groups, peer.clearances, peer.purposes)),
        *(sorted(item for item in by_kind.items() if item[1]) for by_kind in (*counts, *ever)),
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
