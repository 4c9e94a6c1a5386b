"""Reciprocity: standing with a peer as people and the peer itself may see it.

Invariant: what is withheld for want of standing is told as a number for each kind, never by title
or id, so that a peer learns what it misses and not what exists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy import exists, func, or_
from sqlmodel import Session, select

from comity.node.database.tables import HEADER, HandlingClassRow, PartRow, PeerRow, ReleaseRow
from comity.node.policy.decisions import judge
from comity.node.policy.facts import facts_of
from comity.node.policy.standing.allowance import PLENTY
from comity.node.policy.standing.rule import DAY_MS, load_standing, standing_rows, window_of
from comity.node.policy.versions import policy_at
from comity.policies.facts import PartFacts, Standing
from comity.record.content import Kind
from comity.v1 import exchange_service_pb2 as pb

BEST: Final = Standing(received=PLENTY, credit=PLENTY, received_ever=PLENTY)
"""The standing of a peer that gave without end and was given nothing."""


def standing_with(session: Session, row: PeerRow, now: int) -> pb.GetStandingResponse:
    """Return a peer's standing, and how many records wait for it to become better."""
    withheld = withheld_for_standing(session, row, now)
    credit = load_standing(session, row.institute).credit
    counters = {counted.kind: counted for counted in standing_rows(session, row.institute)}
    kinds = [
        pb.KindStanding(
            kind=kind,
            credit=credit.get(Kind(kind), 0) if kind else 0,
            withheld=withheld.get(kind, 0),
            **counters[kind].model_dump(exclude={"peer", "kind"}) if kind in counters else {},
        )
        for kind in [*map(str, Kind), ""]
    ]
    told = [kind for kind in kinds if len(kind.ListFields()) > bool(kind.kind)]
    return pb.GetStandingResponse(kinds=told, window_days=window_of(session) // DAY_MS)


def withheld_for_standing(session: Session, row: PeerRow, now: int) -> Mapping[str, int]:
    """Return how many records, by kind, a peer would be given if its standing were the best."""
    policy = policy_at(session, now)
    if not policy.depends_on_standing:
        return {}
    headers = select(HandlingClassRow).where(HandlingClassRow.header_class_id.is_(None))
    classes = list(session.exec(headers.order_by(HandlingClassRow.class_id)))
    peer = facts_of(session, row)
    as_it_is = judge(session, classes, peer, policy)
    at_best = judge(session, classes, replace(peer, standing=BEST), policy)
    kinds = {
        c.class_id: str(PartFacts.from_json(c.facts.encode()).kind)
        for c in classes
        if at_best[c.class_id].allowed and not as_it_is[c.class_id].allowed
    }
    released = exists().where(
        ReleaseRow.peer == row.institute, ReleaseRow.part_id == PartRow.part_id
    )
    due = or_(PartRow.embargo_time.is_(None), PartRow.embargo_time <= now)
    query = (
        select(PartRow.class_id, func.count())
        .where(PartRow.class_id.in_(kinds), PartRow.section == HEADER, due, ~released)
        .where(PartRow.origin != row.institute)
        .group_by(PartRow.class_id)
    )
    found = Counter[str]()
    for class_id, count in session.exec(query):
        found[kinds[class_id]] += count
    return found
