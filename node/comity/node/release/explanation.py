"""Explains what is given to a peer or withheld, by which rule, and what would change that.

Invariant: the verdicts come from ``decisions.judge``, by which parts are released, and what is
proposed has been asked of the same policy; explaining changes nothing. Of one record, a section is
explained as it stands with this peer, who may have the header; of a kind, as for a new record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from sqlalchemy import and_, or_
from sqlmodel import Session, select

from comity.node.database.clock import to_datetime
from comity.node.database.tables import HEADER, HandlingClassRow, PartRow, RecordRow, ReleaseRow
from comity.node.policy.decisions import judge, stamp
from comity.node.policy.facts import facts_of
from comity.node.policy.standing.allowance import PLENTY, count_waiting
from comity.node.policy.versions import policy_at
from comity.node.release.parts import Tally, is_given, is_unembargoed, tally_classes
from comity.node.trust.peers import get_peer
from comity.policies.evaluator import Decision, Policy
from comity.policies.facts import PartFacts, PeerFacts
from comity.policies.ways.change import Situation
from comity.policies.ways.nearest import MAX_AMOUNT, nearest
from comity.record.content import Kind
from comity.record.times import format_time

MAX_WAYS: Final = 3
"""Ways to a release that are told: all of them ask for as few changes."""

MAX_EXPLAINED: Final = 64
"""Classes of a kind for which ways are looked for, largest first: each may take a tenth of a
second."""


@dataclass(frozen=True, slots=True)
class PartExplanation:
    """Why one part is given to a peer, or is not; ``section`` is HEADER for the header.

    ``nearest`` has, for what is withheld, sentences that say what would release it.
    """

    section: int
    name: str
    allowed: bool
    rules: tuple[str, ...]
    message: str
    release_time: int | None
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassExplanation:
    """Why the parts of one handling class are given to a peer, or are not.

    ``nearest`` is None where ways to a release have not been looked for.
    """

    facts: PartFacts
    tally: Tally
    verdict: Decision
    nearest: tuple[str, ...] | None


def explain_record(
    session: Session, peer: str, record: RecordRow, now: int
) -> list[PartExplanation]:
    """Return the header's explanation, then the held sections' in order.

    Raises:
        NotFound: no such peer.
    """
    query = (
        select(PartRow, HandlingClassRow)
        .join(HandlingClassRow, HandlingClassRow.class_id == PartRow.class_id)
        .where(PartRow.record_seq == record.record_seq)
        .order_by(PartRow.section)
    )
    parts = [(part, handling_class) for part, handling_class in session.exec(query)]
    judged = _Judged(session, peer, list({c.class_id: c for _, c in parts}.values()), now)
    released = _released(session, peer, [part for part, _ in parts])
    header = parts[0][0]
    has_header = header.origin == peer or header.part_id in released
    ahead = 0 if has_header else judged.ahead(header)
    return [
        _explain_part(part, judged, released.get(part.part_id), has_header=has_header, ahead=ahead)
        for part, _ in parts
    ]


def explain_kind(session: Session, peer: str, kind: Kind, now: int) -> list[ClassExplanation]:
    """Return an explanation for each class of a kind that has parts, largest first.

    Raises:
        NotFound: no such peer.
    """
    tallies = tally_classes(session, peer, now)
    classes = [c for c in session.exec(select(HandlingClassRow)) if _kind(c) is kind]
    judged = _Judged(session, peer, [c for c in classes if c.class_id in tallies], now)
    ordered = sorted(judged.asked, key=lambda class_id: (-_size(tallies[class_id]), class_id))
    withheld = [i for i in ordered if not judged.found[i].allowed and _waits(tallies[i])]
    ways: dict[int, tuple[str, ...] | None] = dict.fromkeys(withheld)
    ways |= {class_id: judged.ways(class_id) for class_id in withheld[:MAX_EXPLAINED]}
    return [
        ClassExplanation(judged.facts[i], tallies[i], judged.found[i].verdict, ways.get(i, ()))
        for i in ordered
    ]


class _Judged:
    """Classes, the verdicts on them, and what would make a withheld one allowed."""

    def __init__(
        self, session: Session, peer: str, classes: Sequence[HandlingClassRow], now: int
    ) -> None:
        row = get_peer(session, peer)
        self._session, self.now = session, now
        self._peer: PeerFacts = facts_of(session, row)
        self._policy: Policy = policy_at(session, now)
        self.asked = [c.class_id for c in classes]
        headers = {c.header_class_id for c in classes}.difference(self.asked)
        query = select(HandlingClassRow).where(HandlingClassRow.class_id.in_(headers - {None}))
        self._classes = {c.class_id: c for c in (*classes, *session.exec(query))}
        self.facts = {i: PartFacts.from_json(c.facts.encode()) for i, c in self._classes.items()}
        self.found = judge(session, list(self._classes.values()), self._peer, self._policy)
        self._known = stamp(self._policy, self._peer)

    @property
    def institute(self) -> str:
        """The peer's."""
        return self._peer.institute

    def ahead(self, header: PartRow) -> int:
        """Return how many own records that use standing up wait for the same and go first."""
        facts, mine = self.facts[header.class_id], self.found[header.class_id]
        if mine.allowed or not (facts.own and self._policy.depends_on_giving):
            return 0
        others = select(HandlingClassRow).where(
            HandlingClassRow.issuer == facts.issuer,
            HandlingClassRow.header_class_id.is_(None),
            HandlingClassRow.class_id < header.class_id,
        )
        alike = [c for c in self._session.exec(others) if _kind(c) is facts.kind]
        found = judge(self._session, alike, self._peer, self._policy)
        bars = set(mine.own.rules)
        # whoever has no other bar than this one, and waits for nothing but standing, goes first too
        barred = [c for c in alike if bars.issuperset(found[c.class_id].own.rules)]
        freely = judge(self._session, barred, _in_credit(self._peer), self._policy)
        first = [class_id for class_id, other in freely.items() if other.own.allowed]
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
    """Return the peer as one that gave plenty and has been given nothing."""
    gave = {"received": PLENTY, "received_ever": PLENTY, "credit": PLENTY}
    standing = replace(peer.standing, **gave, given={}, given_ever={}, rejected={})
    return replace(peer, standing=standing)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A situation, and all that the answer depends on, which can be compared."""

    institute: str
    known: str
    weights: tuple[tuple[Kind, int], ...]
    parts: tuple[PartFacts, ...]
    situation: Situation = field(compare=False)


@lru_cache(maxsize=1024)
def _ways(asked: _Asked) -> tuple[str, ...]:
    # hundreds of decisions, and the same for every record of a class
    return tuple(way.sentence for way in nearest(asked.situation)[:MAX_WAYS])


def _released(session: Session, peer: str, parts: list[PartRow]) -> dict[int, int]:
    given = and_(ReleaseRow.part_id == PartRow.part_id, ReleaseRow.peer == peer)
    # an outer join, so that SQLite looks up each part and does not walk through the peer's queue
    query = select(PartRow.part_id, ReleaseRow.release_time).outerjoin(ReleaseRow, given)
    found = session.exec(query.where(PartRow.part_id.in_([part.part_id for part in parts])))
    return {part_id: time for part_id, time in found if time is not None}


def _explain_part(
    part: PartRow, judged: _Judged, released: int | None, *, has_header: bool, ahead: int
) -> PartExplanation:
    judgement = judged.found[part.class_id]
    verdict = judgement.own if has_header else judgement.verdict
    allowed, message = verdict.allowed, verdict.message
    ways: tuple[str, ...] = ()
    if part.origin == judged.institute:
        allowed, message = False, f"{judged.institute} is where this came from"
    elif not allowed and not released:
        ways = judged.ways(part.class_id, has_header=has_header, ahead=ahead)
    if part.embargo_time is not None and part.embargo_time > judged.now:
        until = format_time(to_datetime(part.embargo_time))
        ways = _after_embargo(ways, until, allowed=allowed)
        allowed, message = False, f"under embargo until {until}; then: {message}"
    name = "" if part.section == HEADER else part.name
    return PartExplanation(part.section, name, allowed, verdict.rules, message, released, ways)


def _after_embargo(ways: tuple[str, ...], until: str, *, allowed: bool) -> tuple[str, ...]:
    if allowed:
        return (f"would be released when its embargo ends, {until}",)
    return tuple(f"{way}, but not before its embargo ends, {until}" for way in ways)


def _kind(handling_class: HandlingClassRow) -> Kind:
    return PartFacts.from_json(handling_class.facts.encode()).kind


def _size(tally: Tally) -> int:
    return tally.given + tally.due + tally.embargoed


def _waits(tally: Tally) -> bool:
    return tally.due + tally.embargoed > 0
