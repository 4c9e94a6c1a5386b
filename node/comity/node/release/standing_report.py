"""Reciprocity: standing with a peer, as people here and the peer itself may see it.

Invariant: records withheld for want of standing are reported as a number for each kind, never by
title or id, so that a peer learns how much it misses and not what exists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import exists, func, or_
from sqlmodel import Session, select

from comity.node.database.tables import HEADER, HandlingClassRow, PartRow, PeerRow, ReleaseRow
from comity.node.policy.decisions import evaluate_classes
from comity.node.policy.facts import facts_of
from comity.node.policy.standing.allowance import PLENTY
from comity.node.policy.standing.rule import DAY_MS, load_standing, standing_rows, window_of
from comity.node.policy.versions import policy_at
from comity.policies.facts import PartFacts, Standing
from comity.record.kind import Kind

BEST: Final = Standing(received=PLENTY, credit=PLENTY, received_ever=PLENTY)
"""The standing of a peer that gave without limit and was given nothing."""


@dataclass(frozen=True, slots=True)
class KindReport:
    """Standing with one peer in one kind of record; ``kind`` is empty where none could be read.

    Subjects are counted, not records. A plain count is within the window, its ``_ever`` since the
    beginning. ``pending`` was released to the peer, which has not signed for it yet; ``withheld``
    are records that the policy holds back for want of standing alone.
    """

    kind: str
    received: int = 0
    received_ever: int = 0
    given: int = 0
    given_ever: int = 0
    pending: int = 0
    pending_ever: int = 0
    credit: int = 0
    rejected: int = 0
    rejected_ever: int = 0
    withheld: int = 0


@dataclass(frozen=True, slots=True)
class StandingReport:
    """Standing with one peer: the kinds of which there is anything to tell, in order."""

    kinds: tuple[KindReport, ...]
    window_days: int


def report_standing(session: Session, row: PeerRow, now: int) -> StandingReport:
    """Return a peer's standing, and how many records wait for it to become better."""
    withheld = withheld_for_standing(session, row, now)
    credit = load_standing(session, row.institute).credit
    counters = {counted.kind: counted for counted in standing_rows(session, row.institute)}

    reports = [
        KindReport(
            kind=kind,
            credit=credit.get(Kind(kind), 0) if kind else 0,
            withheld=withheld.get(kind, 0),
            **counters[kind].model_dump(exclude={"peer", "kind"}) if kind in counters else {},
        )
        for kind in [*map(str, Kind), ""]
    ]
    told = tuple(report for report in reports if report != KindReport(report.kind))
    return StandingReport(told, window_of(session) // DAY_MS)


def withheld_for_standing(session: Session, row: PeerRow, now: int) -> Mapping[str, int]:
    """Return how many records, by kind, a peer would be given if its standing were the best."""
    policy = policy_at(session, now)
    if not policy.depends_on_standing:
        return {}

    # whether a record is given is asked of its header alone
    headers = select(HandlingClassRow).where(HandlingClassRow.header_class_id.is_(None))
    classes = list(session.exec(headers.order_by(HandlingClassRow.class_id)))
    peer = facts_of(session, row)
    as_it_is = evaluate_classes(session, classes, peer, policy)
    at_best = evaluate_classes(session, classes, replace(peer, standing=BEST), policy)
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
