"""One policy's verdicts, remembered, so that a hundred institutes can be played in seconds.

The evaluator is asked once for what a policy cannot tell apart, and never for less. Two questions
are the same to it when status, groups, clearances and purposes, the part, and the standing that the
policy reads are equal, and the institutes in them stand in the same places: a policy that names no
institute cannot know which one it is. Invariant: a remembered verdict is the one that the evaluator
gives; how many records may be given is found as a node finds it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable
from dataclasses import replace
from functools import cached_property
from typing import Final

from comity.policies.evaluator import Policy, Verdict
from comity.policies.facts import Counts, PartFacts, PeerFacts, Standing
from comity.record.content import Kind

_TEXT: Final = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*')
_LIKE: Final = re.compile(r"\blike\b")


class Verdicts:
    """What a policy says in a network of ``institutes``. Message texts are those of a like case."""

    def __init__(self, policy: Policy, institutes: Collection[str]) -> None:
        self.policy = policy
        self.depends_on_standing = policy.depends_on_standing
        self._institutes = frozenset(institutes)
        self._cases: dict[Hashable, int] = {}
        self._samples: list[tuple[PeerFacts, PartFacts]] = []
        self._known: dict[tuple[int, Hashable], Verdict] = {}

    def case(self, peer: PeerFacts, part: PartFacts) -> int:
        """Return the number of a question, standing left aside."""
        key = self._key(peer, part)
        number = self._cases.setdefault(key, len(self._samples))
        if number == len(self._samples):
            self._samples.append((peer, part))
        return number

    def verdict(self, case: int, standing: Standing, more: int = 0) -> Verdict:
        """Decide a case, once ``more`` records of its kind have been given."""
        peer, part = self._samples[case]
        key = (case, self._read(standing, part.kind, more))
        verdict = self._known.get(key)
        if verdict is None:
            after = standing.after_giving(part.kind, more)
            verdict = self.policy.decide(replace(peer, standing=after), part)
            self._known[key] = verdict
        return verdict

    def allowance(self, case: int, standing: Standing, wanted: int) -> int:
        """Return how many of ``wanted`` own records may be given one after the other."""
        if not self.verdict(case, standing).allowed:
            return 0
        if self.verdict(case, standing, wanted - 1).allowed:
            return wanted
        # invariant of the search: the first `low` records may be given, record `high` (from 1) not
        low, high = 1, wanted
        while high - low > 1:
            middle = (low + high) // 2
            allowed = self.verdict(case, standing, middle - 1).allowed
            low, high = (middle, high) if allowed else (low, middle)
        return low

    @cached_property
    def _names_nobody(self) -> bool:
        # the operator `like` may match a part of a name, and an escape may spell one
        text = self.policy.text
        named = any(word in text for word in ("\\", *self._institutes))
        return not named and not _LIKE.search(_TEXT.sub(" ", text))

    @cached_property
    def _reads_one_kind(self) -> bool:
        # rules reach other kinds through principal.standing alone
        return "standing" not in self.policy.text and "\\" not in self.policy.text

    def _key(self, peer: PeerFacts, part: PartFacts) -> Hashable:
        terms = (peer.status, peer.groups, peer.clearances, peer.purposes)
        words = peer.groups | peer.clearances | peer.purposes | part.tags | part.domains
        if not self._names_nobody or words & self._institutes:
            return peer.institute, terms, part
        places = {peer.institute: "receiver", part.issuer: "issuer"}
        listed = part.releasable_to
        roles = None if listed is None else frozenset(places.get(n, "other") for n in listed)
        same = part.issuer == peer.institute
        return terms, same, replace(part, issuer="issuer", releasable_to=roles)

    def _read(self, standing: Standing, kind: Kind, more: int) -> Hashable:
        """Return what the policy may read of a standing."""
        if not self.depends_on_standing:
            return None
        if not self._reads_one_kind:
            return tuple(map(_items, _columns(standing.after_giving(kind, more))))
        return (
            more,
            standing.received.get(kind, 0),
            standing.given.get(kind, 0),
            standing.credit.get(kind, 0),
            standing.rejected.get(kind, 0),
            standing.received_ever.get(kind, 0),
            standing.given_ever.get(kind, 0),
        )


def _columns(standing: Standing) -> tuple[Counts, ...]:
    return (
        *(standing.received, standing.given, standing.credit, standing.rejected),
        *(standing.received_ever, standing.given_ever),
    )


def _items(counts: Counts) -> tuple[tuple[Kind, int], ...]:
    return tuple(sorted((kind, count) for kind, count in counts.items() if count))
