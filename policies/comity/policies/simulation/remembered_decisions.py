"""Remembered decisions of one policy, so that a hundred institutes can be played in seconds.

The evaluator is asked only once for questions that the policy cannot tell apart. It cannot tell two
questions apart if status, groups, clearances, purposes, the part, and whatever the policy reads of
the standing are equal, and if their institutes have the same roles: a policy can recognise an
institute only if the policy, or a word in the facts, names it. Invariants: a remembered decision is
the one that the evaluator would make; the number of records that may be given is found as a node
finds it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from comity.policies.cedar.rules import pairs
from comity.policies.evaluator import Decision, Policy
from comity.policies.facts import PartFacts, PeerFacts, Standing
from comity.policies.simulation.standing_reads import StandingReads, whole_standing
from comity.policies.ways.change import Situation, What
from comity.policies.ways.nearest import nearest
from comity.record.kind import Kind


class RememberedDecisions:
    """Decisions of one policy; a message may be that of an equivalent question."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._reads = StandingReads(policy)

        # names and patterns by which the policy may recognise an institute
        read = [pair for rule in policy.rules for pair in pairs(rule.parsed)]
        self._named = frozenset(
            (value for _, value in read if isinstance(value, str)),
        ).union(treaty.party for treaty in policy.treaties)
        self._patterns = tuple(_pattern(value) for key, value in read if key == "like")
        self._likeness = cache(self._matched)

        # questions by number, with an example of each, and what is known of them
        self._cases: dict[Hashable, int] = {}
        self._samples: list[tuple[PeerFacts, PartFacts]] = []
        self._known: dict[tuple[int, Hashable], Decision] = {}
        self._ways: dict[tuple[int, Hashable], tuple[tuple[int, Kind], ...]] = {}

    def case(self, peer: PeerFacts, part: PartFacts) -> int:
        """Return the number of a question, without its standing."""
        key = self._key(peer, part)
        number = self._cases.setdefault(key, len(self._samples))
        if number == len(self._samples):
            self._samples.append((peer, part))
        return number

    def decision(self, case: int, standing: Standing, more: int = 0) -> Decision:
        """Decide a case as if ``more`` records of its kind had been given already."""
        peer, part = self._samples[case]
        key = (case, self._view(standing, part.kind, more))
        decision = self._known.get(key)
        if decision is None:
            after = standing.after_giving(part.kind, more)
            decision = self.policy.decide(replace(peer, standing=after), part)
            self._known[key] = decision
        return decision

    def allowance(self, case: int, standing: Standing, wanted: int) -> int:
        """Return how many of ``wanted`` own records may be given, one after the other."""
        if not wanted or not self.decision(case, standing).allowed:
            return 0
        if wanted == 1 or self.decision(case, standing, wanted - 1).allowed:
            return wanted

        def is_refused_after(given: int) -> bool:
            return not self.decision(case, standing, given).allowed

        return bisect_left(range(wanted - 1), True, lo=1, key=is_refused_after)

    def ways_out(self, case: int, standing: Standing) -> tuple[tuple[int, Kind], ...]:
        """Return the gifts of one kind by the peer that would release the next record.

        Each is a number of records and their kind, the fewest first. The result is empty if it
        takes more than records of one kind.
        """
        peer, part = self._samples[case]
        key = (case, whole_standing(standing))
        if key not in self._ways:
            asked = Situation(self.policy, replace(peer, standing=standing), (part,))
            alone = [way.changes[0] for way in nearest(asked) if len(way.changes) == 1]
            found = ((c.amount, Kind(c.name)) for c in alone if c.what is What.RECEIVED)
            self._ways[key] = tuple(sorted(found))
        return self._ways[key]

    def _key(self, peer: PeerFacts, part: PartFacts) -> Hashable:
        terms = (peer.status, peer.groups, peer.clearances, peer.purposes)
        listed = part.releasable_to
        words = {part.section}.union(*terms[1:], part.tags, part.domains, part.purposes)
        names = {peer.institute, part.issuer, *(listed or ())}
        seen = {name: name if name in words else self._likeness(name) for name in names}
        # roles come before likeness: where a list names the issuer or the receiver, it is that one
        seen |= {part.issuer: ("issuer", seen[part.issuer])}
        seen |= {peer.institute: ("receiver", seen[peer.institute])}
        return (
            terms,
            seen[peer.institute],
            seen[part.issuer],
            None if listed is None else frozenset(seen[name] for name in listed),
            replace(part, issuer="", releasable_to=None),
        )

    def _matched(self, name: str) -> Hashable:
        """Return a name that the policy names; for others, which of its patterns match the name."""
        if name in self._named:
            return name
        return tuple(pattern.fullmatch(name) is not None for pattern in self._patterns)

    def _view(self, standing: Standing, kind: Kind, more: int) -> Hashable:
        # all standings are one to a policy that reads none
        if not self.policy.depends_on_standing:
            return None
        return self._reads.view(standing, kind, more)


def _pattern(like: Any) -> re.Pattern[str]:
    """Return a pattern of the operator ``like``, given in Cedar's JSON form."""
    return re.compile("".join(_steps(like["pattern"])), re.DOTALL)


def _steps(pattern: Iterable[Any]) -> Iterator[str]:
    for step in pattern:
        yield ".*" if step == "Wildcard" else re.escape(step["Literal"])
