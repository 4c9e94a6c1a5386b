"""The decisions on handling classes for one peer, and the changes that would turn a denial.

Invariants: the decisions come from ``decisions.evaluate_classes``, as in release; every change
that is proposed has been put to the same policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from sqlalchemy import and_, or_
from sqlmodel import Session, select

from comity.node.database.tables import HandlingClassRow, PartRow
from comity.node.policy.decisions import basis_digest, evaluate_classes
from comity.node.policy.facts import facts_of
from comity.node.policy.standing.allowance import PLENTY, count_waiting
from comity.node.policy.versions import policy_at
from comity.node.release.parts import is_given, is_unembargoed
from comity.node.trust.peers import get_peer
from comity.policies.evaluator import Policy
from comity.policies.facts import PartFacts, PeerFacts
from comity.policies.ways.change import Situation
from comity.policies.ways.nearest import MAX_AMOUNT, nearest
from comity.record.kind import Kind

MAX_WAYS: Final = 3
"""Ways to a release that are told: all of them take the same, smallest number of changes."""


class ClassDecisions:
    """Classes, the decisions on them, and the changes by which a withheld one would be allowed."""

    def __init__(
        self, session: Session, peer: str, classes: Sequence[HandlingClassRow], now: int
    ) -> None:
        row = get_peer(session, peer)
        self._session, self.now = session, now
        self._peer: PeerFacts = facts_of(session, row)
        self._policy: Policy = policy_at(session, now)

        # a section is decided together with its header, whose class was perhaps not asked for
        self.asked = [c.class_id for c in classes]
        headers = {c.header_class_id for c in classes}.difference(self.asked)
        query = select(HandlingClassRow).where(HandlingClassRow.class_id.in_(headers - {None}))
        self._classes = {c.class_id: c for c in (*classes, *session.exec(query))}

        self.facts = {i: PartFacts.from_json(c.facts.encode()) for i, c in self._classes.items()}
        self.found = evaluate_classes(
            session, list(self._classes.values()), self._peer, self._policy
        )
        self._known = basis_digest(self._policy, self._peer)

    @property
    def institute(self) -> str:
        """The peer's institute."""
        return self._peer.institute

    def ahead(self, header: PartRow) -> int:
        """Return the number of own records that wait for the same, use standing up and go first."""
        facts, mine = self.facts[header.class_id], self.found[header.class_id]
        if mine.allowed or not (facts.own and self._policy.depends_on_giving):
            return 0

        # (1) classes of the same kind come first in the order of their numbers
        others = select(HandlingClassRow).where(
            HandlingClassRow.issuer == facts.issuer,
            HandlingClassRow.header_class_id.is_(None),
            HandlingClassRow.class_id < header.class_id,
        )
        alike = [c for c in self._session.exec(others) if kind_of(c) is facts.kind]
        found = evaluate_classes(self._session, alike, self._peer, self._policy)

        # (2) of these, the ones that the same rules hold back, and that better standing would free
        bars = set(mine.own.rules)
        barred = [c for c in alike if bars.issuperset(found[c.class_id].own.rules)]
        freely = evaluate_classes(self._session, barred, _in_credit(self._peer), self._policy)
        first = [class_id for class_id, other in freely.items() if other.own.allowed]

        # (3) their records, and the earlier ones of this class
        before = and_(PartRow.class_id == header.class_id, PartRow.part_id < header.part_id)
        wait = (
            PartRow.origin != self.institute,
            is_unembargoed(self.now),
            ~is_given(self.institute),
        )
        goes_first = or_(before, PartRow.class_id.in_(first))
        return count_waiting(self._session, self.institute, (*wait, goes_first), MAX_AMOUNT)

    def ways(self, class_id: int, *, has_header: bool = False, ahead: int = 0) -> tuple[str, ...]:
        """Return the nearest changes that would release parts of a class, as sentences.

        ``ahead`` records of the same kind would be given first.
        """
        header = None if has_header else self._classes[class_id].header_class_id
        ids = (class_id,) if header is None else (class_id, header)
        parts = tuple(self.facts[i] for i in ids)

        weights = tuple(sorted(self._peer.standing.weights.items()))
        standing = self._peer.standing.after_giving(parts[0].kind, ahead)
        situation = Situation(self._policy, replace(self._peer, standing=standing), parts)
        known = f"{self._known}/{ahead}"
        return _ways(_Asked(self.institute, known, weights, parts, situation))


def _in_credit(peer: PeerFacts) -> PeerFacts:
    """Return the facts of a peer that gave plenty and has been given nothing."""
    gave = {"received": PLENTY, "received_ever": PLENTY, "credit": PLENTY}
    standing = replace(peer.standing, **gave, given={}, given_ever={}, rejected={})
    return replace(peer, standing=standing)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A situation, and all that the answer depends on in a form that can be compared."""

    institute: str
    known: str
    weights: tuple[tuple[Kind, int], ...]
    parts: tuple[PartFacts, ...]
    situation: Situation = field(compare=False)


@lru_cache(maxsize=1024)
def _ways(asked: _Asked) -> tuple[str, ...]:
    # kept, since it takes hundreds of decisions and is the same for every record of a class
    return tuple(way.sentence for way in nearest(asked.situation)[:MAX_WAYS])


def kind_of(handling_class: HandlingClassRow) -> Kind:
    """Return the kind of record to which a class belongs."""
    return PartFacts.from_json(handling_class.facts.encode()).kind
