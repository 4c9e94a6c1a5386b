"""Standing as it is used up: how many of the records that wait may be given at once.

Of the records issued here, only as many are given together as the policy still allows after each
of them, found by search over ``given`` (it is taken to allow less, not more, as ``given`` grows).
A record is taken to use standing up if it is the first with substance about its subject.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from comity.node.standing import SUBSTANCE_CHARS
from comity.node.tables import Part, RecordRow, StandingEntry
from comity.policies.evaluator import Policy
from comity.policies.facts import PartFacts, PeerFacts


def limits(
    headers: Mapping[int, PartFacts], waiting: Mapping[int, int], peer: PeerFacts, policy: Policy
) -> dict[int, int]:
    """Return, for classes of own headers of which not all may be released, how many may.

    ``headers`` are allowed classes; ``waiting`` counts for each, as far as records of it wait, the
    subjects that use standing up. What is given of one class counts for the next.
    """
    found: dict[int, int] = {}
    for class_id, count in sorted(waiting.items()):
        part = headers[class_id]
        allowance = _allowance(policy, peer, part, count)
        if allowance is not None:
            found[class_id] = allowance
        given = count if allowance is None else allowance
        standing = peer.standing.after_giving(part.kind, given)
        peer = replace(peer, standing=standing)
    return found


def uses_standing(peer: str) -> ColumnElement[bool]:
    """Return whether giving a ``RecordRow`` to a peer uses its standing up."""
    whole = aliased(Part)
    content = select(func.sum(whole.content)).where(col(whole.record_seq) == RecordRow.record_seq)
    substance = content.scalar_subquery() >= SUBSTANCE_CHARS
    counted = exists().where(
        col(StandingEntry.peer) == peer,
        col(StandingEntry.side) == "given",
        col(StandingEntry.kind) == RecordRow.kind,
        col(StandingEntry.subject) == RecordRow.subject,
    )
    return substance & ~counted


def _allowance(policy: Policy, peer: PeerFacts, part: PartFacts, wanted: int) -> int | None:
    """Return how many of ``wanted`` may be given one after the other; None if all, and more.

    What uses no standing up goes along as long as the policy allows the next one.
    """

    def allowed_after(given: int) -> bool:
        standing = peer.standing.after_giving(part.kind, given)
        return policy.decide(replace(peer, standing=standing), part).allowed

    if allowed_after(wanted):
        return None
    # invariant of the search: after `low` - 1 the next may be given, after `high` not
    low, high = 0, wanted
    while high > low:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if allowed_after(middle) else (low, middle)
    return low
