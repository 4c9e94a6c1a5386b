"""One policy's verdicts, remembered, so that a hundred institutes can be played in seconds.

The evaluator is asked once for what a policy cannot tell apart, and never for less. Two questions
are the same to it when status, groups, clearances and purposes, the part, and the standing that the
policy reads are equal, and the institutes in them stand in the same places: a policy that names no
institute cannot know which one it is. Invariant: a remembered verdict is the one that the evaluator
gives; how many records may be given is found as a node finds it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import replace
from functools import cached_property
from typing import Final

from comity.policies.change import Situation, What
from comity.policies.evaluator import Policy, Verdict
from comity.policies.facts import Counts, PartFacts, PeerFacts, Standing
from comity.policies.nearest import nearest
from comity.policies.rules import pairs
from comity.policies.vocabulary import paths_read
from comity.record.content import Kind

_GIVEN: Final = ("given", "givenEver")


class Verdicts:
    """What a policy says in a network of ``institutes``. Message texts are those of a like case."""

    def __init__(self, policy: Policy, institutes: Collection[str]) -> None:
        self.policy = policy
        self._institutes = frozenset(institutes)
        self._parsed = [rule.parsed for rule in policy.rules]
        self._cases: dict[Hashable, int] = {}
        self._samples: list[tuple[PeerFacts, PartFacts]] = []
        self._known: dict[tuple[int, Hashable], Verdict] = {}
        self._ways: dict[tuple[int, Hashable], tuple[int, Kind] | None] = {}

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
        if not wanted or not self.verdict(case, standing).allowed:
            return 0
        if wanted == 1 or self.verdict(case, standing, wanted - 1).allowed:
            return wanted
        # invariant of the search: the first `low` records may be given, record `high` (from 1) not
        low, high = 1, wanted
        while high - low > 1:
            middle = (low + high) // 2
            allowed = self.verdict(case, standing, middle - 1).allowed
            low, high = (middle, high) if allowed else (low, middle)
        return low

    def way_out(self, case: int, standing: Standing) -> tuple[int, Kind] | None:
        """Return the fewest records of one kind from the peer that would release the next one.

        None where it takes more than that.
        """
        peer, part = self._samples[case]
        key = (case, self._read(standing, part.kind, 0))
        if key not in self._ways:
            asked = Situation(self.policy, replace(peer, standing=standing), (part,))
            alone = [way.changes[0] for way in nearest(asked) if len(way.changes) == 1]
            found = [(c.amount, Kind(c.name)) for c in alone if c.what is What.RECEIVED]
            self._ways[key] = min(found, default=None)
        return self._ways[key]

    @cached_property
    def _names_nobody(self) -> bool:
        # the operator `like` may match a part of a name
        read = list(pairs(self._parsed))
        named = any(value in self._institutes for _, value in read if isinstance(value, str))
        like = any(key == "like" for key, _ in read)
        return not (named or like or self.policy.treaties)

    @cached_property
    def _columns(self) -> tuple[str, ...] | None:
        """The counts of the part's own kind that the policy reads; None if it may read others."""
        read = paths_read(self.policy.rules)
        if ("context",) in read or ("attr", "standing") in pairs(self._parsed):
            return None
        return tuple(sorted(path[1] for path in read if path[0] == "context"))

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
        if not self.policy.depends_on_standing:
            return None
        if self._columns is None:
            return tuple(_items(c) for c in _by_column(standing.after_giving(kind, more)).values())
        counts = _by_column(standing)
        return tuple(
            counts[column].get(kind, 0) + (more if column in _GIVEN else 0)
            for column in self._columns
        )


def _by_column(standing: Standing) -> dict[str, Counts]:
    """Return the counts by their names in the schema."""
    return {
        "received": standing.received,
        "given": standing.given,
        "credit": standing.credit,
        "rejected": standing.rejected,
        "receivedEver": standing.received_ever,
        "givenEver": standing.given_ever,
    }


def _items(counts: Counts) -> tuple[tuple[Kind, int], ...]:
    return tuple(sorted((kind, count) for kind, count in counts.items() if count))
