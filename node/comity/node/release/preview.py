"""Preview: the parts that another policy would give to each peer, before it is in force.

Each peer costs as many decisions as there are handling classes, for the policy in force and for the
other one, and one grouped count of parts. Invariants: a preview changes nothing; decisions come
from ``decisions.evaluate_classes`` and the use of standing from ``allowance``, as in release, so
that the parts gained at once are those that release would append.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlmodel import Session

from comity.node.database.tables import PeerRow
from comity.node.release.peer_view import PeerView
from comity.policies.evaluator import Decision, Policy
from comity.policies.facts import PartFacts


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
    view = PeerView(session, row, now)
    return _grouped([*_of_waiting(view, policy, other), *_of_released(view, policy, other)])


@dataclass(frozen=True, slots=True)
class _ClassChange:
    """The effect on the parts of one class."""

    part: PartFacts
    effect: Effect
    parts: int
    later: int
    decision: Decision
    before: Decision


def _of_waiting(view: PeerView, policy: Policy, other: Policy) -> Iterator[_ClassChange]:
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


def _of_released(view: PeerView, policy: Policy, other: Policy) -> Iterator[_ClassChange]:
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
