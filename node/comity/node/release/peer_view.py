"""A peer as preview sees it: its classes, their tallies, and what a policy would give it now.

Invariant: it reckons as release does, by ``decisions.evaluate_classes``, ``allowance`` and the
conditions of ``parts``, so that preview and release agree.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import sqlalchemy as sa
from sqlalchemy import ColumnElement, case, func, or_
from sqlmodel import Session, select

from comity.node.database.tables import HEADER, HandlingClassRow, PartRow, PeerRow
from comity.node.policy.decisions import PartDecision, evaluate_classes
from comity.node.policy.facts import facts_of
from comity.node.policy.standing.allowance import allowances, last_covered
from comity.node.release.parts import (
    has_header,
    is_correction,
    is_given,
    is_known_section,
    is_unembargoed,
    tally_classes,
)
from comity.policies.evaluator import Policy
from comity.policies.facts import PartFacts, PeerFacts


class PeerView:
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
        self._headers = {i: header for header, family in self._families.items() for i in family}

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

        # where standing is used up, a family goes only as far as the allowance covers its records,
        # and besides go new versions of what the peer has
        if policy.depends_on_giving:
            given += self._given_as_corrections(decided)
            for class_id, allowance in self._limits(policy, decided).items():
                if allowance is not None:
                    some = self._first(class_id, allowance)
                    family = [i for i in self._families[class_id] if decided[i].allowed]
                    given.update({i: some[i] - given[i] for i in family})
        return given

    def _given_as_corrections(self, decided: Mapping[int, PartDecision]) -> Counter[int]:
        """Return how many parts of each denied class release would append as corrections."""
        found = Counter[int]()
        for (class_id, has, known), parts in self._corrections.items():
            decision, header = decided[class_id], self._headers[class_id]
            # a section follows its header, which the peer has or gets now
            reaches = has or decided[header].correction is not None
            if class_id == header:
                goes = decision.correction is not None
            elif decision.follows:
                goes = reaches and not has
            else:
                goes = reaches and known and decision.correction is not None
            # what is allowed is counted by the allowance
            if goes and not decision.allowed:
                found[class_id] += parts
        return found

    @cached_property
    def _corrections(self) -> dict[tuple[int, bool, bool], int]:
        """The waiting parts of corrections: by class, if the peer has the header, and if known."""
        has = case((has_header(self._institute), 1), else_=0)
        known = case((is_known_section(self._institute), 1), else_=0)
        columns = (PartRow.class_id, has.label("has"), known.label("known"))
        waiting = sa.select(*columns).where(
            *self._wait(), is_unembargoed(self._now), is_correction(self._institute)
        )
        parts = waiting.subquery()
        groups = (parts.c.class_id, parts.c.has, parts.c.known)
        rows = self._session.connection().execute(
            sa.select(*groups, func.count()).group_by(*groups)
        )
        return {(class_id, bool(h), bool(k)): count for class_id, h, k, count in rows}

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
        which = or_(has_header(self._institute), is_correction(self._institute))
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
