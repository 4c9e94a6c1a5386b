"""Standing as it is used up: how many of the records that wait may be given at once.

Of the records issued here, only as many are given together as the policy still allows after each
of them, found by search over ``given`` (it is taken to allow less, not more, as ``given`` grows).
A record is taken to use standing up if it has substance and its subject does not count yet; where
several are about one subject, that is more than is used up, and the rest follows.
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
from comity.policies.evaluator import Policy
from comity.policies.facts import PartFacts, PeerFacts
from comity.record.content import Kind

PLENTY: Final = dict.fromkeys(Kind, 10**9)
"""More than anyone gives, and little enough for a policy to multiply."""

_LOOK: Final = 64
"""Records that are looked at first; where more may be given, 16 times as many, and so on."""


Conditions = Sequence[ColumnElement[bool]]
"""Conditions for the ``PartRow`` of a header that waits."""


def limits(
    session: Session,
    headers: Mapping[int, PartFacts],
    waits: Callable[[int], Conditions],
    peer: PeerFacts,
    policy: Policy,
) -> dict[int, int | None]:
    """Return how many records of each class may go, for the classes that standing limits.

    ``headers`` are allowed classes of own headers; ``waits`` returns the conditions under which
    parts of a class wait. Only records that use standing up are counted; None means no limit.
    What is given of one class counts for the next: they must be released in this order, before
    any class that is not limited.
    """
    found: dict[int, int | None] = {}
    for class_id, part in _limited(headers, peer, policy):
        count = partial(count_waiting, session, peer.institute, waits(class_id))
        wanted, found[class_id] = _limit(policy, peer, part, count)

        given = found[class_id]
        standing = peer.standing.after_giving(part.kind, wanted if given is None else given)
        peer = replace(peer, standing=standing)
    return found


def _limited(
    headers: Mapping[int, PartFacts], peer: PeerFacts, policy: Policy
) -> list[tuple[int, PartFacts]]:
    """Return, in order, the classes that are not allowed however much has been given.

    Asked with plenty of every kind, and of their own kind alone: more of another kind may be what
    allows them.
    """
    limited: dict[int, PartFacts] = {}
    for kinds in (frozenset(Kind), *({kind} for kind in Kind)):
        asked = {i: part for i, part in headers.items() if part.kind in kinds}
        more = {kind: PLENTY[kind] for kind in kinds}
        given, ever = peer.standing.given, peer.standing.given_ever
        spent = replace(peer.standing, given={**given, **more}, given_ever={**ever, **more})
        verdicts = policy.decide_many(replace(peer, standing=spent), list(asked.values()))
        denied = (i for i, verdict in zip(asked, verdicts, strict=True) if not verdict.allowed)
        limited.update((i, asked[i]) for i in denied)
    return sorted(limited.items())


def _limit(
    policy: Policy, peer: PeerFacts, part: PartFacts, count: Callable[[int], int]
) -> tuple[int, int | None]:
    """Return how many records that use standing up were counted, and how many may go."""
    most = _LOOK
    while True:
        wanted = count(most)
        allowance = _allowance(policy, peer, part, wanted)
        if allowance is not None or wanted < most:
            return wanted, allowance
        most *= 16


def count_waiting(session: Session, peer: str, waits: Conditions, most: int) -> int:
    """Count the records that wait and use a peer's standing up, up to ``most``."""
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
    """Return whether giving a ``RecordRow`` to a peer uses its standing up."""
    whole = aliased(PartRow)
    content = select(func.sum(whole.content)).where(whole.record_seq == RecordRow.record_seq)
    substance = content.scalar_subquery() >= SUBSTANCE_CHARS
    counted = exists().where(
        StandingEntryRow.peer == peer,
        StandingEntryRow.side == "given",
        StandingEntryRow.kind == RecordRow.kind,
        StandingEntryRow.subject_seq == RecordRow.subject_seq,
    )
    return substance & ~counted


def _allowance(policy: Policy, peer: PeerFacts, part: PartFacts, wanted: int) -> int | None:
    """Return how many of ``wanted`` may be given one after the other; None if all, and more.

    What uses no standing up goes along as long as the policy allows the next one.
    """

    def is_refused_after(given: int) -> bool:
        standing = peer.standing.after_giving(part.kind, given)
        return not policy.decide(replace(peer, standing=standing), part).allowed

    if not is_refused_after(wanted):
        return None
    return bisect_left(range(wanted), True, key=is_refused_after)
