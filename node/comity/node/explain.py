"""Explains, for a peer and a record, what is given or withheld, and by which rule.

Invariant: the verdicts come from ``decisions.judge``, by which parts are released; explaining
changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, col, select

from comity.node.clock import to_datetime
from comity.node.decisions import judge
from comity.node.peers import facts_of, get_peer
from comity.node.policy import policy_at
from comity.node.tables import HEADER, HandlingClass, Part, RecordRow, Release
from comity.policies.evaluator import Verdict
from comity.record.times import format_time


@dataclass(frozen=True, slots=True)
class PartExplanation:
    """Why one part is given to a peer, or is not; ``section`` is HEADER for the header."""

    section: int
    name: str
    allowed: bool
    rules: tuple[str, ...]
    message: str
    release_time: int | None


def explain(session: Session, peer: str, record: RecordRow, now: int) -> list[PartExplanation]:
    """Return the header's explanation, then the held sections' in order.

    Raises:
        NotFound: no such peer.
    """
    row = get_peer(session, peer)
    query = (
        select(Part, HandlingClass)
        .join(HandlingClass, col(HandlingClass.class_id) == Part.class_id)
        .where(Part.record_seq == record.record_seq)
        .order_by(col(Part.section))
    )
    parts = [(part, handling_class) for part, handling_class in session.exec(query)]
    classes = list({c.class_id: c for _, c in parts}.values())
    policy = policy_at(session, now)
    verdicts = judge(session, classes, facts_of(session, row), policy)
    released = _released(session, peer, [part for part, _ in parts])
    return [
        _explain_part(part, verdicts[part.class_id], peer, released.get(part.part_id), now)
        for part, _ in parts
    ]


def _released(session: Session, peer: str, parts: list[Part]) -> dict[int, int]:
    ids = [part.part_id for part in parts]
    query = select(Release.part_id, Release.release_time).where(
        Release.peer == peer, col(Release.part_id).in_(ids)
    )
    return dict(session.exec(query).all())


def _explain_part(
    part: Part, verdict: Verdict, peer: str, released: int | None, now: int
) -> PartExplanation:
    allowed, message = verdict.allowed, verdict.message
    if part.origin == peer:
        allowed, message = False, f"{peer} is where this came from"
    elif part.embargo_time is not None and part.embargo_time > now:
        until = format_time(to_datetime(part.embargo_time))
        allowed, message = False, f"under embargo until {until}; then: {message}"
    name = "" if part.section == HEADER else part.name
    return PartExplanation(part.section, name, allowed, verdict.rules, message, released)
