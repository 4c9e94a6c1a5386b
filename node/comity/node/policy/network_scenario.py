"""The shape of the real network, as a scenario: this institute, its peers, and what each issued.

Known here are the terms set for each peer, what this institute issued, and of what the peers issued
that part which they gave it; of what passes between peers nothing is known, so the scenario has
none of it. Records that were superseded are left out. Of the others, embargo, subject and substance
are those in the database, so that they count towards standing as they do here. This institute is
taken to be bound to the purposes of what the peers gave it. Invariant: nothing is changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import Session

from comity.node.database.tables import HandlingClassRow, PartRow, RecordRow
from comity.node.policy.facts import facts_of
from comity.node.policy.standing.rule import DAY_MS, SUBSTANCE_CHARS, weights_of, window_of
from comity.node.policy.treaties import list_treaties, over_time
from comity.node.trust.peers import pinned_peers
from comity.policies.facts import PartFacts
from comity.policies.simulation.issuing import IssuedRecords, IssuedSection
from comity.policies.simulation.members import MAX_DAYS, Agreement, Institute
from comity.policies.simulation.real_records import Contents, KnownRecords
from comity.policies.simulation.scenario import Scenario

_CHUNK: Final = 10_000
"""Rows of parts that are read at a time."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A record as it is held; lists are in the order of its parts. Times are Unix milliseconds."""

    issuer: str
    issue_time: int
    subject: int
    classes: tuple[int, ...]
    embargoes: tuple[int | None, ...]
    texts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Days of a scenario, the first of which is ``start`` in days since 1970, and the last now."""

    start: int
    now: int

    @property
    def days(self) -> int:
        return max(self.now // DAY_MS - self.start + 1, 1)

    def day(self, time: int) -> int:
        """Return the day of a time; one that lies ahead is after the last."""
        if time > self.now:
            return self.days + 1
        return max(time // DAY_MS - self.start + 1, 1)

    def embargo(self, record: _Held) -> tuple[int, ...]:
        """Return the first day on which each part may be given, 1 where it never had to wait."""
        issued = self.day(record.issue_time)
        days = [1 if time is None else self.day(time) for time in record.embargoes]
        # a section goes only where its header goes
        days = [max(day, days[0]) for day in days]
        return tuple(1 if day <= issued else day for day in days)


def network_scenario(
    session: Session, institute: str, policy: str, peer_policy: str, now: int
) -> Scenario:
    """Return the scenario from the first record's day to today; policies are given by name.

    The policies' names are not looked up here. Days before the last MAX_DAYS count as the first.
    """
    held = list(_held(session))
    first = min((record.issue_time for record in held), default=now) // DAY_MS
    calendar = _Calendar(max(first, now // DAY_MS - MAX_DAYS + 1), now)
    issues = _issues(session, held, calendar)
    peers = [facts_of(session, row) for row in pinned_peers(session)]
    own = Institute(
        id=institute,
        policy=policy,
        issues=tuple(issues[institute]),
        purposes=_purposes(one for peer in peers for one in issues[peer.institute]),
    )
    others = [
        Institute(
            id=peer.institute,
            policy=peer_policy,
            issues=tuple(issues[peer.institute]),
            peers=frozenset({institute}),
            status=peer.status,
            groups=peer.groups,
            clearances=peer.clearances,
            purposes=peer.purposes,
        )
        for peer in peers
    ]
    return Scenario(
        title=f"{institute} and its peers",
        days=calendar.days,
        window_days=min(max(window_of(session) // DAY_MS, 1), MAX_DAYS),
        weights=dict(weights_of(session)),
        institute=(own, *others),
        treaty=tuple(_treaties(session, institute, {peer.institute for peer in peers}, calendar)),
    )


def _purposes(given: Iterable[IssuedRecords]) -> frozenset[str]:
    """Return the purposes of what peers gave, to which they hold this institute bound."""
    return frozenset(
        purpose
        for issues in given
        for handling in (issues, *issues.sections)
        for purpose in handling.purposes or ()
    )


def _treaties(
    session: Session, institute: str, peers: Container[str], calendar: _Calendar
) -> Iterator[Agreement]:
    """Yield the treaties with peers, which both sides go by, on the days that they were in force.

    A treaty counts until the day before it was over, so that today only those count that hold now.
    """
    for row in list_treaties(session):
        over = over_time(row)
        last = None if over is None or over > calendar.now else calendar.day(over) - 1
        first = calendar.day(row.start_time)
        played = first <= calendar.days and (last is None or last >= first)
        if row.party in peers and played:
            yield Agreement.model_validate(
                {
                    "id": row.treaty_id,
                    "parties": (institute, row.party),
                    "kinds": frozenset(row.kinds),
                    "sections": frozenset(row.sections),
                    "from": first,
                    "to": last,
                }
            )


def _held(session: Session) -> Iterator[_Held]:
    query = (
        select(
            RecordRow.record_seq,
            RecordRow.issuer,
            RecordRow.issue_time,
            RecordRow.subject_seq,
            PartRow.class_id,
            PartRow.embargo_time,
            PartRow.content,
        )
        .join(PartRow, PartRow.record_seq == RecordRow.record_seq)
        .where(~RecordRow.superseded)
        .order_by(RecordRow.record_seq, PartRow.section)
        .execution_options(yield_per=_CHUNK)
    )
    rows = session.connection().execute(query)
    for _, parts in groupby(rows, key=attrgetter("record_seq")):
        header, *sections = parts
        # an issuer puts sections in any order, which makes no difference to a policy
        some = [header, *sorted(sections, key=attrgetter("class_id"))]
        yield _Held(
            header.issuer,
            header.issue_time,
            header.subject_seq,
            tuple(row.class_id for row in some),
            tuple(row.embargo_time for row in some),
            tuple(row.content for row in some),
        )


def _issues(
    session: Session, held: list[_Held], calendar: _Calendar
) -> dict[str, list[IssuedRecords]]:
    query = select(HandlingClassRow.class_id, HandlingClassRow.facts)
    rows = session.connection().execute(query)
    facts = {class_id: PartFacts.from_json(text.encode()) for class_id, text in rows}
    alike: dict[tuple[tuple[int, ...], tuple[int, ...]], list[_Held]] = defaultdict(list)
    for record in held:
        if not facts[record.classes[0]].withdrawn:
            alike[record.classes, calendar.embargo(record)].append(record)
    issues: dict[str, list[IssuedRecords]] = defaultdict(list)
    # as a node releases them: class by class
    for (classes, embargo), records in sorted(alike.items()):
        parts = [facts[class_id] for class_id in classes]
        issues[records[0].issuer].append(_known(parts, embargo, records, calendar))
    return issues


def _known(
    parts: Sequence[PartFacts],
    embargo: tuple[int, ...],
    records: Sequence[_Held],
    calendar: _Calendar,
) -> KnownRecords:
    header, *sections = parts
    ordered = sorted(records, key=lambda record: calendar.day(record.issue_time))
    return KnownRecords(
        kind=header.kind,
        tags=header.tags,
        sections=tuple(_sections(sections)),
        on=tuple(calendar.day(record.issue_time) for record in ordered),
        embargo=embargo,
        contents=Contents(
            subjects=tuple(record.subject for record in ordered),
            texts=tuple(record.texts for record in ordered),
            substance=SUBSTANCE_CHARS,
        ),
        **_handling(header),
    )


def _sections(sections: Sequence[PartFacts]) -> Iterator[IssuedSection]:
    for part in sections:
        yield IssuedSection(
            name=part.section, domains=part.domains, severity=part.severity, **_handling(part)
        )


def _handling(part: PartFacts) -> dict[str, Any]:
    listed = part.releasable_to
    return {
        "tlp": part.tlp,
        "releasable_to": None if listed is None else tuple(sorted(listed)),
        "onward": part.onward,
        "purposes": tuple(sorted(part.purposes)),
    }
