"""Preview: what another policy would give to each peer, before it is in force. Changes nothing.

Each peer costs as many decisions as there are handling classes, for the policy in force and for the
other one, and one grouped count of parts. Invariant: verdicts come from ``decisions.judge`` and the
use of standing from ``allowance``, as in release, so that what is gained now is what release would
append.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func
from sqlmodel import Session, col, select

from comity.node.allowance import limits, uses_standing
from comity.node.decisions import judge
from comity.node.peers import facts_of
from comity.node.tables import HandlingClass, Part, PeerRow, RecordRow, Release
from comity.node.tally import is_due, tally_classes
from comity.policies.evaluator import Policy, Verdict
from comity.policies.facts import PartFacts, PeerFacts


class Effect(StrEnum):
    """What another policy would do with a part."""

    GAINED = "gained"
    """It is not given now, and would be."""
    WITHHELD = "withheld"
    """It is not given yet but allowed, and would not be."""
    GONE = "gone"
    """It was given, would not be given any more, and cannot be taken back."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What would be different for parts of a kind that the same rules decide on.

    ``parts`` and, among them, ``records`` (headers) follow at once; ``later`` counts the parts that
    would follow once their embargo ends, or standing allows more. ``verdict`` is the other
    policy's, ``before`` that of the policy in force.
    """

    kind: str
    effect: Effect
    parts: int
    records: int
    later: int
    verdict: Verdict
    before: Verdict


def preview_peer(
    session: Session, row: PeerRow, policy: Policy, other: Policy, now: int
) -> list[Difference]:
    """Return what ``other`` in place of ``policy`` would make different for a peer, by kind.

    Both are linked for the treaties in force.
    """
    view = _View(session, row, now)
    return _grouped([*_of_waiting(view, policy, other), *_of_released(view, policy, other)])


class _View:
    """A peer, the handling classes, and how their parts stand with it."""

    def __init__(self, session: Session, row: PeerRow, now: int) -> None:
        self._session, self._institute = session, row.institute
        self._peer: PeerFacts = facts_of(session, row)
        self._now = now
        self._classes = list(session.exec(select(HandlingClass)))
        self.facts = {c.class_id: PartFacts.from_json(c.facts.encode()) for c in self._classes}
        self.tallies = tally_classes(session, row.institute, now)
        self._judged: dict[tuple[str, bool], dict[int, Verdict]] = {}
        self._families: dict[int, list[int]] = defaultdict(list)
        for c in self._classes:
            header = c.class_id if c.header_class_id is None else c.header_class_id
            self._families[header].append(c.class_id)

    def judge(self, policy: Policy, *, afresh: bool = False) -> dict[int, Verdict]:
        """Return the verdict on each class; ``afresh`` as if nothing had been given to the peer."""
        key = policy.digest, afresh and policy.depends_on_standing
        if key not in self._judged:
            peer = self._peer
            if key[1]:
                peer = replace(peer, standing=replace(peer.standing, given={}, given_ever={}))
            self._judged[key] = judge(self._session, self._classes, peer, policy)
        return self._judged[key]

    def given_now(self, policy: Policy, verdicts: Mapping[int, Verdict]) -> Counter[int]:
        """Return how many parts of each class release would append at once."""
        given = Counter({i: t.due for i, t in self.tallies.items() if verdicts[i].allowed})
        if policy.depends_on_standing:
            for class_id, count in self._limits(policy, verdicts).items():
                some = self._first(class_id, count)
                for member in self._families[class_id]:
                    given[member] = some[member] if verdicts[member].allowed else 0
        return given

    def _limits(self, policy: Policy, verdicts: Mapping[int, Verdict]) -> dict[int, int]:
        own = {
            c.class_id: part
            for c in self._classes
            if c.header_class_id is None and verdicts[c.class_id].allowed
            if (part := self.facts[c.class_id]).own
        }
        subject = case((uses_standing(self._institute), col(RecordRow.subject)))
        query = self._waiting(func.count(subject.distinct())).where(col(Part.class_id).in_(own))
        waiting = self._session.connection().execute(query).all()
        return limits(own, dict(waiting), self._peer, policy)

    def _first(self, class_id: int, count: int) -> Counter[int]:
        """Count the parts of a class's records, up to the ``count``th that uses standing up."""
        if not count:
            return Counter()
        first = func.min(Part.record_seq)
        headers = select(first).join(RecordRow, col(RecordRow.record_seq) == Part.record_seq)
        headers = headers.where(*self._wait(), col(Part.class_id) == class_id)
        nth = headers.where(uses_standing(self._institute)).group_by(col(RecordRow.subject))
        connection = self._session.connection()
        last = connection.execute(nth.order_by(first).offset(count - 1).limit(1)).scalar_one()
        family = col(Part.class_id).in_(self._families[class_id])
        query = self._waiting(func.count()).where(family, col(Part.record_seq) <= last)
        return Counter(dict(connection.execute(query).all()))

    def _waiting(self, *columns: Any) -> Select[Any]:
        query: Select[Any] = select(Part.class_id, *columns)
        query = query.join(RecordRow, col(RecordRow.record_seq) == Part.record_seq)
        return query.where(*self._wait()).group_by(col(Part.class_id))

    def _wait(self) -> list[ColumnElement[bool]]:
        released = exists().where(
            col(Release.peer) == self._institute, col(Release.part_id) == Part.part_id
        )
        return [col(Part.origin) != self._institute, is_due(self._now), ~released]


@dataclass(frozen=True, slots=True)
class _Change:
    """A difference for one class."""

    part: PartFacts
    effect: Effect
    parts: int
    later: int
    verdict: Verdict
    before: Verdict


def _of_waiting(view: _View, policy: Policy, other: Policy) -> Iterator[_Change]:
    before, after = view.judge(policy), view.judge(other)
    given_before, given_after = view.given_now(policy, before), view.given_now(other, after)
    for class_id, tally in view.tallies.items():
        more = given_after[class_id] - given_before[class_id]
        later = 0
        match before[class_id].allowed, after[class_id].allowed:
            case False, True:
                effect, parts, later = Effect.GAINED, more, tally.due + tally.embargoed - more
            case True, False:
                effect, parts, later = Effect.WITHHELD, tally.due, tally.embargoed
            case _:
                effect, parts = Effect.GAINED if more > 0 else Effect.WITHHELD, abs(more)
        part = view.facts[class_id]
        yield _Change(part, effect, parts, later, after[class_id], before[class_id])


def _of_released(view: _View, policy: Policy, other: Policy) -> Iterator[_Change]:
    # what has used the peer's standing up is not forbidden for that, so it is judged afresh
    before, after = view.judge(policy, afresh=True), view.judge(other, afresh=True)
    for class_id, tally in view.tallies.items():
        if before[class_id].allowed and not after[class_id].allowed:
            verdicts = after[class_id], before[class_id]
            yield _Change(view.facts[class_id], Effect.GONE, tally.given, 0, *verdicts)


def _grouped(changes: Iterable[_Change]) -> list[Difference]:
    groups: dict[Any, list[_Change]] = defaultdict(list)
    for change in changes:
        if change.parts or change.later:
            rules = change.verdict.rules, change.before.rules
            groups[change.part.kind, change.effect, rules].append(change)
    order = list(Effect)
    return [
        Difference(
            kind=kind,
            effect=effect,
            parts=sum(change.parts for change in some),
            records=sum(change.parts for change in some if not change.part.section),
            later=sum(change.later for change in some),
            verdict=some[0].verdict,
            before=some[0].before,
        )
        for (kind, effect, _), some in sorted(
            groups.items(), key=lambda item: (item[0][0], order.index(item[0][1]), item[0][2])
        )
    ]
