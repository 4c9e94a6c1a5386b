"""Explanations: what a peer is given, what is withheld, by which rule, and what would change that.

Invariant: an explanation changes nothing. A section of one record is explained for this peer,
which may have the header already; a kind is explained as for a new record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, or_
from sqlmodel import Session, select

from comity.node.database.clock import to_datetime
from comity.node.database.tables import HEADER, HandlingClassRow, PartRow, RecordRow, ReleaseRow
from comity.node.release.class_decisions import ClassDecisions, kind_of
from comity.node.release.parts import Tally, is_correction, is_known_section, tally_classes
from comity.policies.evaluator import Decision
from comity.policies.facts import PartFacts
from comity.record.kind import Kind
from comity.record.times import format_time

MAX_EXPLAINED: Final = 64
"""Classes of a kind for which ways are sought, largest first: each may take a tenth of a second."""


@dataclass(frozen=True, slots=True)
class PartExplanation:
    """The reason why one part is given to a peer, or is not.

    ``section`` is HEADER for the header. ``release_time`` is Unix time in ms, None if the part was
    not released. ``nearest`` has sentences that say what would release a part that is withheld.
    """

    section: int
    name: str
    allowed: bool
    rules: tuple[str, ...]
    message: str
    release_time: int | None
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassExplanation:
    """The reason why the parts of one handling class are given to a peer, or are not.

    ``nearest`` is None if no ways to a release were sought.
    """

    facts: PartFacts
    tally: Tally
    decision: Decision
    nearest: tuple[str, ...] | None


def explain_record(
    session: Session, peer: str, record: RecordRow, now: int
) -> list[PartExplanation]:
    """Return the header's explanation, then the held sections' in order.

    Raises:
        NotFound: no such peer.
    """
    query = (
        select(PartRow, HandlingClassRow)
        .join(HandlingClassRow, HandlingClassRow.class_id == PartRow.class_id)
        .where(PartRow.record_seq == record.record_seq)
        .order_by(PartRow.section)
    )
    parts = [(part, handling_class) for part, handling_class in session.exec(query)]
    decisions = ClassDecisions(session, peer, list({c.class_id: c for _, c in parts}.values()), now)
    released = _released(session, peer, [part for part, _ in parts])

    # a section follows a header that the peer has, and otherwise waits in the header's place
    header = parts[0][0]
    correcting = _corrections(session, peer, record)
    corrected = header.part_id in correcting and decisions.found[header.class_id].correction
    has_header = header.origin == peer or header.part_id in released or bool(corrected)
    ahead = 0 if has_header else decisions.ahead(header)

    return [
        _explain_part(
            part,
            decisions,
            released.get(part.part_id),
            has_header=has_header,
            corrects=part.part_id in correcting,
            ahead=ahead,
        )
        for part, _ in parts
    ]


def explain_kind(session: Session, peer: str, kind: Kind, now: int) -> list[ClassExplanation]:
    """Return an explanation for each class of a kind that has parts, largest first.

    Raises:
        NotFound: no such peer.
    """
    tallies = tally_classes(session, peer, now)
    classes = [c for c in session.exec(select(HandlingClassRow)) if kind_of(c) is kind]
    decisions = ClassDecisions(session, peer, [c for c in classes if c.class_id in tallies], now)

    ordered = sorted(decisions.asked, key=lambda class_id: (-_size(tallies[class_id]), class_id))
    withheld = [i for i in ordered if not decisions.found[i].allowed and _waits(tallies[i])]
    ways: dict[int, tuple[str, ...] | None] = dict.fromkeys(withheld)
    ways |= {class_id: decisions.ways(class_id) for class_id in withheld[:MAX_EXPLAINED]}

    return [
        ClassExplanation(
            decisions.facts[i], tallies[i], decisions.found[i].overall, ways.get(i, ())
        )
        for i in ordered
    ]


def _corrections(session: Session, peer: str, record: RecordRow) -> set[int]:
    """Return the parts of a record that may go as a correction; none if it is no correction."""
    known = or_(PartRow.section == HEADER, is_known_section(peer))
    query = select(PartRow.part_id).where(PartRow.record_seq == record.record_seq)
    return set(session.exec(query.where(is_correction(peer), known)))


def _released(session: Session, peer: str, parts: list[PartRow]) -> dict[int, int]:
    given = and_(ReleaseRow.part_id == PartRow.part_id, ReleaseRow.peer == peer)
    # an outer join, so that SQLite looks up each part and does not walk through the peer's queue
    query = select(PartRow.part_id, ReleaseRow.release_time).outerjoin(ReleaseRow, given)
    found = session.exec(query.where(PartRow.part_id.in_([part.part_id for part in parts])))
    return {part_id: time for part_id, time in found if time is not None}


def _explain_part(
    part: PartRow,
    decisions: ClassDecisions,
    released: int | None,
    *,
    has_header: bool,
    corrects: bool,
    ahead: int,
) -> PartExplanation:
    found = decisions.found[part.class_id]
    decision = found.own if has_header else found.overall
    if corrects and has_header and not decision.allowed and found.correction:
        decision = found.correction
    allowed, message = decision.allowed, decision.message

    ways: tuple[str, ...] = ()
    if part.origin == decisions.institute:
        allowed, message = False, f"{decisions.institute} is where this came from"
    elif not allowed and not released:
        ways = decisions.ways(part.class_id, has_header=has_header, ahead=ahead)

    # an embargo comes on top: policy never hears of it, since it is a time
    if part.embargo_time is not None and part.embargo_time > decisions.now:
        until = format_time(to_datetime(part.embargo_time))
        ways = _after_embargo(ways, until, allowed=allowed)
        allowed, message = False, f"under embargo until {until}; then: {message}"

    name = "" if part.section == HEADER else part.name
    return PartExplanation(part.section, name, allowed, decision.rules, message, released, ways)


def _after_embargo(ways: tuple[str, ...], until: str, *, allowed: bool) -> tuple[str, ...]:
    if allowed:
        return (f"would be released when its embargo ends, {until}",)
    return tuple(f"{way}, but not before its embargo ends, {until}" for way in ways)


def _size(tally: Tally) -> int:
    return tally.given + tally.due + tally.embargoed


def _waits(tally: Tally) -> bool:
    return tally.due + tally.embargoed > 0
