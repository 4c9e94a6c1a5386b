"""Decisions: what policy says of a peer and each handling class, kept in the database.

A decision stands until the policy, a treaty with the peer or a fact about the peer changes;
``PeerRow.decided`` is the digest of them all, and standing enters it only if the policy asks for
standing. Then every class is decided anew; otherwise only classes that have no decision yet.
Invariants: a section's class is
allowed only where its header's class is; ``backlog`` is set on every decision under which parts
may have been passed over, so that nothing allowed later is missed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from sqlalchemy import delete, exists, insert
from sqlmodel import Session, col, select

from comity.node.rows import last_number
from comity.node.tables import Decision, HandlingClass, PeerRow, Ruling
from comity.policies.evaluator import Policy, Verdict
from comity.policies.facts import PartFacts, PeerFacts, Standing


def decide_classes(session: Session, row: PeerRow, peer: PeerFacts, policy: Policy) -> None:
    """Bring a peer's decisions up to date with policy and facts, in ``Store.write``."""
    now_known = stamp(policy, peer)
    before: dict[int, Decision] = {}
    query = select(HandlingClass)
    if now_known == row.decided:
        known = exists().where(
            col(Decision.peer) == row.institute, col(Decision.class_id) == HandlingClass.class_id
        )
        query = query.where(~known)
    else:
        rows = session.exec(select(Decision).where(Decision.peer == row.institute))
        before = {decision.class_id: decision for decision in rows}
    classes = list(session.exec(query.order_by(col(HandlingClass.class_id))))
    if classes:
        verdicts = judge(session, classes, peer, policy)
        _keep(session, row.institute, policy, verdicts, before)
    row.decided = now_known
    session.add(row)


def judge(
    session: Session, classes: list[HandlingClass], peer: PeerFacts, policy: Policy
) -> dict[int, Verdict]:
    """Return the verdict on each class; a section is denied where its header is.

    Every decision in the node comes from here: release, preview and explanation agree.
    """
    headers = _headers(session, classes)
    facts = {c.class_id: PartFacts.from_json(c.facts.encode()) for c in [*headers, *classes]}
    verdicts = dict(zip(facts, policy.decide_many(peer, list(facts.values())), strict=True))
    return {c.class_id: _with_header(c, verdicts) for c in classes}


def _headers(session: Session, classes: list[HandlingClass]) -> list[HandlingClass]:
    present = {c.class_id for c in classes}
    wanted = {c.header_class_id for c in classes} - present - {None}
    if not wanted:
        return []
    query = select(HandlingClass).where(col(HandlingClass.class_id).in_(wanted))
    return list(session.exec(query))


def _with_header(handling_class: HandlingClass, verdicts: dict[int, Verdict]) -> Verdict:
    own = verdicts[handling_class.class_id]
    if handling_class.header_class_id is None:
        return own
    header = verdicts[handling_class.header_class_id]
    if header.allowed or not own.allowed:
        return own
    return replace(header, message=f"its record is withheld: {header.message}")


def _keep(
    session: Session,
    peer: str,
    policy: Policy,
    verdicts: dict[int, Verdict],
    before: dict[int, Decision],
) -> None:
    rulings = _rulings(session, policy, {verdict.rules for verdict in verdicts.values()})
    rows = []
    for class_id, verdict in verdicts.items():
        old = before.get(class_id)
        # of a class that was never decided nothing has been passed over yet; otherwise parts may
        # have been left behind unless the old decision allowed all of them
        clean = verdict.allowed and (old is None or (old.allowed and not old.backlog))
        rows.append(
            {
                "peer": peer,
                "class_id": class_id,
                "allowed": verdict.allowed,
                "ruling_id": rulings[verdict.rules],
                "backlog": not clean,
            }
        )
    connection = session.connection()
    if before:
        connection.execute(delete(Decision).where(col(Decision.peer) == peer))
    connection.execute(insert(Decision), rows)


def _rulings(
    session: Session, policy: Policy, rule_sets: set[tuple[str, ...]]
) -> dict[tuple[str, ...], int]:
    wanted = {_ruling_digest(policy, rules): rules for rules in rule_sets}
    query = select(Ruling).where(col(Ruling.digest).in_(wanted))
    found = {wanted[row.digest]: row.ruling_id for row in session.exec(query)}
    last: int = last_number(session, Ruling.ruling_id)
    for digest, rules in wanted.items():
        if rules not in found:
            last += 1
            found[rules] = last
            row = {"ruling_id": last, "digest": digest, "policy_digest": policy.digest}
            session.connection().execute(insert(Ruling), [row | {"rules": json.dumps(rules)}])
    return found


def _ruling_digest(policy: Policy, rules: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps([policy.digest, *rules]).encode()).hexdigest()


def stamp(policy: Policy, peer: PeerFacts) -> str:
    """Return a digest of all that decisions about a peer depend on, hex."""
    standing = peer.standing if policy.depends_on_standing else Standing()
    counts = (standing.received, standing.given, standing.credit, standing.rejected)
    ever = (standing.received_ever, standing.given_ever)
    known = [
        policy.terms_digest(peer.institute),
        peer.status,
        *(sorted(names) for names in (peer.groups, peer.clearances, peer.purposes)),
        *(sorted(by_kind.items()) for by_kind in (*counts, *ever)),
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()
