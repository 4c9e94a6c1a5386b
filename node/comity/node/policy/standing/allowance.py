"""Allowance: how many of the records that wait may be given before standing is used up.

Of the records that this institute issued, only as many are given together as policy still allows
after each of them. The number is found by a binary search over ``given``; policy is assumed to
allow no more as ``given`` grows.

A record is assumed to use standing up if it has substance and its subject does not count yet. If
several records are about one subject, that assumes too much. The rest is then given by the next
run of release, so everything allowed arrives in the end (invariant 2).

A correction, which is a new version of what the peer already has, uses nothing up and does not wait
for better standing: policy is asked for it as if its subject had not been given.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, select
from sqlmodel.sql.expression import SelectOfScalar

from comity.node.database.tables import HEADER, PartRow, RecordRow, StandingEntryRow
from comity.node.policy.standing.rule import SUBSTANCE_CHARS
from comity.policies.evaluator import Decision, Policy
from comity.policies.facts import PartFacts, PeerFacts
from comity.record.kind import Kind

PLENTY: Final = dict.fromkeys(Kind, 10**9)
"""More records than anybody gives; small enough that a policy can multiply it without overflow."""

_LOOK: Final = 64
"""Records that are counted first. If all of them may be given, 16 times as many are counted."""

Conditions = Sequence[ColumnElement[bool]]
"""Conditions for the ``PartRow`` of a header, under which it waits to be released."""


def allowances(
    session: Session,
    headers: Mapping[int, PartFacts],
    waits: Callable[[int], Conditions],
    peer: PeerFacts,
    policy: Policy,
) -> dict[int, int | None]:
    """Return how many records of a class may go, for each class that standing limits.

    ``headers`` are allowed classes of own headers; ``waits`` returns the conditions under which
    parts of a class wait. The number counts only records that use standing up; None means no
    limit. Records given of one class count for the next class, so the classes must be released in
    the order of the answer, before any class that is not limited.
    """
    found: dict[int, int | None] = {}
    for class_id, part in _limited(headers, peer, policy):
        count = partial(count_waiting, session, peer.institute, waits(class_id))
        wanted, found[class_id] = _class_allowance(policy, peer, part, count)

        given = found[class_id]
        standing = peer.standing.after_giving(part.kind, wanted if given is None else given)
        peer = replace(peer, standing=standing)
    return found


def decide_corrections(
    peer: PeerFacts, policy: Policy, parts: Mapping[int, PartFacts]
) -> dict[int, Decision]:
    """Return the decisions, by class, that would let corrections of denied own parts go.

    Each is asked with one record of its kind fewer given. Where nothing of a kind was given,
    nothing can be corrected.
    """
    found: dict[int, Decision] = {}
    if not policy.depends_on_giving:
        return found

    for kind in Kind:
        of_kind = {i: part for i, part in parts.items() if part.own and part.kind is kind}
        if of_kind and peer.standing.given_ever.get(kind, 0) > 0:
            less = replace(peer, standing=peer.standing.after_giving(kind, -1))
            decided = policy.decide_many(less, list(of_kind.values()))
            found |= {i: d for i, d in zip(of_kind, decided, strict=True) if d.allowed}
    return found


def _limited(
    headers: Mapping[int, PartFacts], peer: PeerFacts, policy: Policy
) -> list[tuple[int, PartFacts]]:
    """Return, by class id, the classes that policy denies once enough has been given.

    Policy is asked twice: as if plenty of every kind had been given, and as if plenty of the
    class's own kind alone had, since what is given of another kind may be what allows it.
    """
    limited: dict[int, PartFacts] = {}
    for kinds in (frozenset(Kind), *({kind} for kind in Kind)):
        # (1) the peer's standing after plenty was given
        asked = {i: part for i, part in headers.items() if part.kind in kinds}
        more = {kind: PLENTY[kind] for kind in kinds}
        given, ever = peer.standing.given, peer.standing.given_ever
        spent = replace(peer.standing, given={**given, **more}, given_ever={**ever, **more})

        # (2) the classes that are denied then
        decisions = policy.decide_many(replace(peer, standing=spent), list(asked.values()))
        denied = (i for i, decision in zip(asked, decisions, strict=True) if not decision.allowed)
        limited.update((i, asked[i]) for i in denied)
    return sorted(limited.items())


def _class_allowance(
    policy: Policy, peer: PeerFacts, part: PartFacts, count: Callable[[int], int]
) -> tuple[int, int | None]:
    """Return how many waiting records were counted, and how many of them may go; None means all."""
    most = _LOOK
    while True:
        wanted = count(most)
        allowance = _allowance(policy, peer, part, wanted)
        if allowance is not None or wanted < most:
            return wanted, allowance
        most *= 16


def count_waiting(session: Session, peer: str, waits: Conditions, most: int) -> int:
    """Count records that wait and use a peer's standing up; the count ends at ``most``."""
    found = _using_standing(peer, waits).limit(most).subquery()
    return session.exec(select(func.count()).select_from(found)).one()


def last_covered(session: Session, peer: str, waits: Conditions, allowance: int) -> int:
    """Return the ``record_seq`` of the last record that an allowance of 1 or more covers."""
    return session.exec(_using_standing(peer, waits).offset(allowance - 1).limit(1)).one()


def _using_standing(peer: str, waits: Conditions) -> SelectOfScalar[int]:
    """Return the records that wait and use a peer's standing up, in the order of release."""
    query = select(RecordRow.record_seq).join(PartRow, PartRow.record_seq == RecordRow.record_seq)
    query = query.where(PartRow.section == HEADER, *waits, _uses_standing(peer))
    return query.order_by(PartRow.class_id, PartRow.part_id)


def _uses_standing(peer: str) -> ColumnElement[bool]:
    """Return the condition that giving a ``RecordRow`` to a peer uses its standing up."""
    whole = aliased(PartRow)
    content = select(func.sum(whole.content)).where(whole.record_seq == RecordRow.record_seq)
    # of substance, whatever part of it the peer may have (rule 4)
    substance = content.scalar_subquery() >= SUBSTANCE_CHARS

    # its subject counts as given already (rules 1 and 5)
    counted = exists().where(
        StandingEntryRow.peer == peer,
        StandingEntryRow.side == "given",
        StandingEntryRow.kind == RecordRow.kind,
        StandingEntryRow.subject_seq == RecordRow.subject_seq,
    )
    return substance & ~counted


def _allowance(policy: Policy, peer: PeerFacts, part: PartFacts, wanted: int) -> int | None:
    """Return how many of ``wanted`` records may be given one after the other.

    None means that all may be given, and one more after them.
    """

    def is_refused_after(given: int) -> bool:
        standing = peer.standing.after_giving(part.kind, given)
        return not policy.decide(replace(peer, standing=standing), part).allowed

    if not is_refused_after(wanted):
        return None
    return bisect_left(range(wanted), True, key=is_refused_after)
