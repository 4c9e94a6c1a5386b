"""Preview: the parts that another policy would give to each peer, before it is in force.

Each peer costs as many decisions as there are handling classes, for the policy in force and for the
other one, and one grouped count of parts. Invariants: a preview changes nothing; decisions come
from ``decisions.evaluate_classes`` and the use of standing from ``allowance``, as in release, so
that the parts gained at once are those that release would append.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, case, func, or_
from sqlmodel import Session, select

from comity.node.database.tables import HEADER, HandlingClassRow, PartRow, PeerRow
from comity.node.policy.decisions import PartDecision, evaluate_classes
from comity.node.policy.facts import facts_of
from comity.node.policy.standing.allowance import allowances, last_covered
from comity.node.release.parts import has_header, is_given, is_unembargoed, tally_classes
from comity.policies.evaluator import Decision, Policy
from comity.policies.facts import PartFacts, PeerFacts


class Effect(StrEnum):
    """The effect of another policy on a part."""

    GAINED = "gained"
    """It is not given now, and would be."""
    WITHHELD = "withheld"
    """It is not given yet but allowed, and would not be."""
    GONE = "gone"
    """It was given, would not be given any more, and cannot be taken back."""


@dataclass(frozen=True, slots=True)
class ChangedParts:
    """The parts of one kind, decided on by the same rules, on which a policy has the same effect.

    ``parts`` and, among them, ``records`` (headers) change at once; ``later`` counts the parts that
    would follow once their embargo ends, or standing allows more. ``decision`` is the other
    policy's, ``before`` that of the policy in force.
    """

    kind: str
    effect: Effect
    parts: int
    records: int
    later: int
    decision: Decision
    before: Decision


def preview_peer(
    session: Session, row: PeerRow, policy: Policy, other: Policy, now: int
) -> list[ChangedParts]:
    """Return the parts on which ``other`` in place of ``policy`` has an effect, by kind.

    Both are linked for the treaties in force.
    """
    view = _View(session, row, now)
    return _grouped([*_of_waiting(view, policy, other), *_of_released(view, policy, other)])


class _View:
    """A peer, the handling classes, and the tallies and decisions of each."""

    def __init__(self, session: Session, row: PeerRow, now: int) -> None:
        self._session, self._institute = session, row.institute
        self._peer: PeerFacts = facts_of(session, row)
        self._now = now
        self._classes = list(session.exec(select(HandlingClassRow)))
        self.facts = {c.class_id: PartFacts.from_json(c.facts.encode()) for c in self._classes}
        self.tallies = tally_classes(session, row.institute, now)
        self._decided: dict[tuple[str, bool], dict[int, PartDecision]] = {}

        # a family is the class of a header and those of its sections
        self._families: dict[int, list[int]] = defaultdict(list)
        for c in self._classes:
            header = c.class_id if c.header_class_id is None else c.header_class_id
            self._families[header].append(c.class_id)

    def decide(self, policy: Policy, *, afresh: bool = False) -> dict[int, PartDecision]:
        """Decide each class; ``afresh`` as if nothing had been given to the peer."""
        key = policy.digest, afresh and policy.depends_on_standing
        if key not in self._decided:
            peer = self._peer
            if key[1]:
                peer = replace(peer, standing=replace(peer.standing, given={}, given_ever={}))
            self._decided[key] = evaluate_classes(self._session, self._classes, peer, policy)
        return self._decided[key]

    def reach(self, decision: PartDecision, class_id: int) -> tuple[int, int]:
        """Return how many parts that are due, and under embargo, would go sooner or later."""
        tally = self.tallies[class_id]
        if decision.allowed:
            return tally.due, tally.embargoed
        return self._following.get(class_id, (0, 0)) if decision.follows else (0, 0)

    def given_now(self, policy: Policy) -> Counter[int]:
        """Return how many parts of each class release would append at once."""
        decided = self.decide(policy)
        given = Counter({i: self.reach(decided[i], i)[0] for i in self.tallies})

        # where standing is used up, a family goes only as far as the allowance covers its records
        if policy.depends_on_giving:
            for class_id, allowance in self._limits(policy, decided).items():
                if allowance is not None:
                    some = self._first(class_id, allowance)
                    family = [i for i in self._families[class_id] if decided[i].allowed]
                    given.update({i: some[i] - given[i] for i in family})
        return given

    @cached_property
    def _following(self) -> dict[int, tuple[int, int]]:
        """By class, how many sections wait while the peer has their header: due, and embargoed."""
        due = func.sum(case((is_unembargoed(self._now), 1), else_=0))
        grouped = sa.select(PartRow.class_id, due, func.count() - due)
        query = grouped.where(*self._wait(), has_header(self._institute))
        query = query.where(PartRow.section != HEADER).group_by(PartRow.class_id)
        rows = self._session.connection().execute(query)
        return {class_id: (due, later) for class_id, due, later in rows}

    def _limits(self, policy: Policy, decided: Mapping[int, PartDecision]) -> dict[int, int | None]:
        own = {
            c.class_id: part
            for c in self._classes
            if c.header_class_id is None and decided[c.class_id].allowed
            if (part := self.facts[c.class_id]).own and c.class_id in self.tallies
        }
        return allowances(self._session, own, self._waiting_headers, self._peer, policy)

    def _first(self, class_id: int, allowance: int) -> Counter[int]:
        """Count the parts of a class's records, up to the last that its allowance covers."""
        which = has_header(self._institute)
        if allowance:
            waits = self._waiting_headers(class_id)
            last = last_covered(self._session, self._institute, waits, allowance)
            which = or_(which, PartRow.record_seq <= last)
        family = PartRow.class_id.in_(self._families[class_id])
        query = sa.select(PartRow.class_id, func.count()).where(
            *self._wait(), is_unembargoed(self._now), family, which
        )
        rows = self._session.connection().execute(query.group_by(PartRow.class_id))
        return Counter(dict(rows.all()))

    def _waiting_headers(self, class_id: int) -> list[ColumnElement[bool]]:
        return [*self._wait(), is_unembargoed(self._now), PartRow.class_id == class_id]

    def _wait(self) -> list[ColumnElement[bool]]:
        return [PartRow.origin != self._institute, ~is_given(self._institute)]


@dataclass(frozen=True, slots=True)
class _ClassChange:
    """The effect on the parts of one class."""

    part: PartFacts
    effect: Effect
    parts: int
    later: int
    decision: Decision
    before: Decision


def _of_waiting(view: _View, policy: Policy, other: Policy) -> Iterator[_ClassChange]:
    """Yield the effect on parts that the peer has not been given."""
    before, after = view.decide(policy), view.decide(other)
    given_before, given_after = view.given_now(policy), view.given_now(other)
    for class_id in view.tallies:
        more = given_after[class_id] - given_before[class_id]
        due_before, later_before = view.reach(before[class_id], class_id)
        due_after, later_after = view.reach(after[class_id], class_id)
        total = due_after + later_after - due_before - later_before

        if total > 0:
            effect, parts, later = Effect.GAINED, more, total - more
        elif total < 0:
            effect, parts = Effect.WITHHELD, due_before - due_after
            later = later_before - later_after
        else:
            effect, parts = Effect.GAINED if more > 0 else Effect.WITHHELD, abs(more)
            later = 0

        # a section that follows its header is not barred by the header's decision
        said = after[class_id]
        decision = said.own if said.follows and parts else said.overall
        part = view.facts[class_id]
        yield _ClassChange(part, effect, parts, later, decision, before[class_id].overall)


def _of_released(view: _View, policy: Policy, other: Policy) -> Iterator[_ClassChange]:
    """Yield the effect on parts that the peer has been given."""
    # these parts used standing up themselves and are not forbidden for that: decided afresh
    before, after = view.decide(policy, afresh=True), view.decide(other, afresh=True)
    today = view.decide(other)

    for class_id, tally in view.tallies.items():
        if before[class_id].allowed and not after[class_id].allowed:
            # the reason is told in today's counts, which standing shows, if they say no as well
            said = after[class_id] if today[class_id].allowed else today[class_id]
            decisions = said.overall, before[class_id].overall
            yield _ClassChange(view.facts[class_id], Effect.GONE, tally.given, 0, *decisions)


def _grouped(changes: Iterable[_ClassChange]) -> list[ChangedParts]:
    groups: dict[Any, list[_ClassChange]] = defaultdict(list)
    for change in changes:
        if change.parts or change.later:
            rules = change.decision.rules, change.before.rules
            groups[change.part.kind, change.effect, rules].append(change)

    order = list(Effect)
    return [
        ChangedParts(
            kind=kind,
            effect=effect,
            parts=sum(change.parts for change in some),
            records=sum(change.parts for change in some if not change.part.section),
            later=sum(change.later for change in some),
            decision=some[0].decision,
            before=some[0].before,
        )
        for (kind, effect, _), some in sorted(
            groups.items(), key=lambda item: (item[0][0], order.index(item[0][1]), item[0][2])
        )
    ]
