"""The nearest ways to a release: the fewest changes after which a withheld part would be released.

Candidates come from the policy (the counts that it reads, the groups and clearances that it names)
and from the parts (their purposes and their kind). Each candidate is applied to the facts and the
evaluator is asked again. Invariants: the evaluator has allowed the part after every way that is
proposed; it has denied the part with one record less of each proposed count, and with one clearance
less where several are proposed; no way is proposed if there is one of fewer changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from comity.policies.cedar.attribute_paths import Path, paths_read, words_named
from comity.policies.facts import PartFacts, PeerStatus
from comity.policies.ways.change import BY_ISSUER, COUNTED, FactChange, Situation, What, domains
from comity.record.handling import Tlp
from comity.record.kind import Kind
from comity.record.limits import MAX_TREATIES

MAX_AMOUNT: Final = 10_000
"""Most records of one kind that are proposed: nobody would be asked for more."""

MAX_CANDIDATES: Final = 40
"""Most candidates: all pairs of them are some 800 decisions, a fraction of a second."""

MAX_TOGETHER: Final = 3
"""Most changes that are proposed together, without the issuer."""

MAX_IN_THREES: Final = 12
"""Up to so many candidates are tried three at a time too: 220 decisions."""

MAX_ISSUER_TOGETHER: Final = 3
"""Most changes that are proposed together where the issuer's handling bars the release."""

_COLUMNS: Final = {
    "received": What.RECEIVED,
    "receivedEver": What.RECEIVED,
    "given": What.GIVEN,
    "givenEver": What.GIVEN,
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a release: all of ``changes`` together, and a sentence about them."""

    changes: tuple[FactChange, ...]
    sentence: str

    @property
    def needs_issuer(self) -> bool:
        """True if the issuer would have to change the record's handling."""
        return any(change.what in BY_ISSUER for change in self.changes)


def nearest(situation: Situation) -> list[Way]:
    """Return the ways of fewest changes to a release, the most obvious first.

    Ways that need the issuer are tried only if there is no other way. The list is empty if all
    parts are released already, and if no change would release them: the record is withdrawn, the
    peer issued it, or the policy forbids it in any case.
    """
    if situation.is_released():
        return []

    # (1) changes that the peer and the operator can make, the fewest first
    own = _candidates(situation)
    most = MAX_TOGETHER if len(own) <= MAX_IN_THREES else MAX_TOGETHER - 1
    for size in range(1, most + 1):
        ways = _ways(situation, combinations(own, size))
        if ways:
            return ways

    # (2) changes that need the issuer, alone or with one of the others
    issuer = _issuer_candidates(situation)
    for size in range(1, MAX_ISSUER_TOGETHER + 1):
        ways = _ways(situation, _mixed(issuer, own, size))
        if ways:
            return ways
    return []


def _mixed(
    issuer: Sequence[FactChange], own: Sequence[FactChange], size: int
) -> Iterator[tuple[FactChange, ...]]:
    # first without the others, since the issuer can then make all changes alone
    yield from combinations(issuer, size)
    for change in own:
        for some in combinations(issuer, size - 1):
            if some:
                yield (change, *some)


def _ways(situation: Situation, tried: Iterator[tuple[FactChange, ...]]) -> list[Way]:
    found = (_reduced(situation, changes) for changes in tried)
    return [Way(changes, _sentence(situation, changes)) for changes in found if changes is not None]


def _sentence(situation: Situation, changes: Sequence[FactChange]) -> str:
    return "would be released " + ", and ".join(c.phrase(situation) for c in changes)


def _reduced(
    situation: Situation, changes: tuple[FactChange, ...]
) -> tuple[FactChange, ...] | None:
    """Return the changes with the least amounts that release, or None if none do."""
    # trying the largest amounts first rules out most combinations; a single count is searched in
    # any case, since it may release only somewhere in between
    if len(changes) > 1 and not _applied(situation, changes).is_released():
        return None
    for i, change in enumerate(changes):
        if change.what in COUNTED:
            least = _least(_with_amount(situation, changes, i))
            if least is None:
                return None
            changes = (*changes[:i], replace(change, amount=least), *changes[i + 1 :])

    if not _applied(situation, changes).is_released():
        return None
    # counts may make up for each other, so that lowering a later one left an earlier one too high
    counted = [i for i, change in enumerate(changes) if change.what in COUNTED]
    if any(_with_amount(situation, changes, i)(changes[i].amount - 1) for i in counted):
        return None
    return None if _clears_too_much(situation, changes) else changes


def _clears_too_much(situation: Situation, changes: tuple[FactChange, ...]) -> bool:
    """True if the part is released even without one of the clearances that are proposed."""
    if all(change.what is not What.DOMAINS for change in changes):
        return False
    after = _applied(situation, changes)
    cleared = after.peer.clearances
    return any(
        replace(after, peer=replace(after.peer, clearances=cleared - {word})).is_released()
        for word in cleared - situation.peer.clearances
    )


def _with_amount(
    situation: Situation, changes: tuple[FactChange, ...], i: int
) -> Callable[[int], bool]:
    def released(amount: int) -> bool:
        changed = replace(changes[i], amount=amount)
        return _applied(situation, (*changes[:i], changed, *changes[i + 1 :])).is_released()

    return released


def _applied(situation: Situation, changes: Sequence[FactChange]) -> Situation:
    for change in changes:
        situation = change.apply(situation)
    return situation


def _least(released: Callable[[int], bool]) -> int | None:
    """Return an amount, 1 to MAX_AMOUNT, that releases though one less does not; None if none."""
    # double until it releases, then search between the last two amounts
    low, high = 0, 1
    while not released(high):
        if high == MAX_AMOUNT:
            return None
        low, high = high, min(2 * high, MAX_AMOUNT)
    return bisect_left(range(high), True, lo=low + 1, key=released)


def _candidates(situation: Situation) -> list[FactChange]:
    """Return the changes that the peer or the operator could make, each count at MAX_AMOUNT."""
    peer, parts, policy = situation.peer, situation.parts, situation.policy
    found = _counts(situation)

    if peer.status is not PeerStatus.MEMBER:
        found.append(FactChange(What.STATUS, PeerStatus.MEMBER.value))
    paths = paths_read(policy.rules)
    if ("principal", "clearances") in paths and len(domains(situation) - peer.clearances) > 1:
        found.append(FactChange(What.DOMAINS, ""))

    # words that the policy names, or that a policy may compare with a part's own
    words = words_named(policy.rules).union(*(_words_of(part) for part in parts))
    for what, attribute, held in (
        (What.GROUP, "groups", peer.groups),
        (What.CLEARANCE, "clearances", peer.clearances),
    ):
        if ("principal", attribute) in paths:
            found += [FactChange(what, word) for word in sorted(words - held)]

    # the baseline reads purposes, so the part's own are candidates under every policy
    allowed = frozenset[str]().union(*(part.purposes for part in parts))
    if ("principal", "purposes") in paths:
        allowed |= words
    found += [FactChange(What.PURPOSE, word) for word in sorted(allowed - peer.purposes)]

    if policy.has_templates and len(policy.treaties) < MAX_TREATIES:
        found.append(FactChange(What.TREATY, parts[0].section))
    return found[:MAX_CANDIDATES]


def _words_of(part: PartFacts) -> set[str]:
    return {part.section, *part.tags, *part.domains, *part.purposes} - {""}


def _counts(situation: Situation) -> list[FactChange]:
    paths = paths_read(situation.policy.rules)
    wanted = {count for path in paths for count in _counts_read(path, situation)}
    order, kinds = list(What), list(Kind)
    ordered = sorted(wanted, key=lambda pair: (order.index(pair[0]), kinds.index(pair[1])))
    return [FactChange(what, kind.value, MAX_AMOUNT) for what, kind in ordered]


def _counts_read(path: Path, situation: Situation) -> list[tuple[What, Kind]]:
    match path:
        case ("context", column):
            kind = situation.parts[0].kind
        case ("principal", "standing", column, named):
            kind = Kind(named)
        case _:
            return []
    if column == "credit":
        # credit comes from records of other kinds that have a weight; nobody can simply grant it
        weights = situation.peer.standing.weights
        return [(What.RECEIVED, other) for other in weights if other is not kind and weights[other]]
    return [(_COLUMNS[column], kind)] if column in _COLUMNS else []


def _issuer_candidates(situation: Situation) -> list[FactChange]:
    """Return the changes that the issuer could make to the record's handling."""
    parts = situation.parts
    found = [FactChange(What.LISTED, situation.peer.institute)]
    strictest = max(part.tlp.strictness for part in parts)
    looser = [tlp for tlp in (Tlp.GREEN, Tlp.CLEAR) if tlp.strictness < strictest]
    found += [FactChange(What.LABEL, tlp.value) for tlp in looser]
    if not all(part.onward for part in parts):
        found.append(FactChange(What.ONWARD, ""))
    if any(part.purposes for part in parts):
        found.append(FactChange(What.ANY_PURPOSE, ""))
    return found
