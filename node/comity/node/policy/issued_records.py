"""The records that each institute issued, as the entries of a scenario.

Records of an issuer share an entry if they differ only in subject, text and day of issue.
Invariant: nothing is changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import Session

from comity.node.database.tables import HandlingClassRow, PartRow, RecordRow
from comity.node.policy.standing.rule import DAY_MS, SUBSTANCE_CHARS
from comity.policies.facts import PartFacts
from comity.policies.simulation.issuing import IssuedRecords, IssuedSection
from comity.policies.simulation.real_records import Contents, KnownRecords

_CHUNK: Final = 10_000
"""Rows of parts that are read at once."""


@dataclass(frozen=True, slots=True)
class CurrentRecord:
    """A record that is not superseded; tuples are by part, the header first; times are Unix ms."""

    issuer: str
    issue_time: int
    subject: int
    classes: tuple[int, ...]
    embargoes: tuple[int | None, ...]
    texts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScenarioCalendar:
    """The days of a scenario, numbered from 1; the last one is today.

    ``start`` is the first day, in days since 1970; ``now`` is Unix time in milliseconds.
    """

    start: int
    now: int

    @property
    def days(self) -> int:
        """The number of days, at least 1."""
        return max(self.now // DAY_MS - self.start + 1, 1)

    def day(self, time: int) -> int:
        """Return the day of a time; a time that lies ahead is on the day after the last."""
        if time > self.now:
            return self.days + 1
        return max(time // DAY_MS - self.start + 1, 1)

    def embargo(self, record: CurrentRecord) -> tuple[int, ...]:
        """Return the first day on which each part may be given; 1 if the part never had to wait."""
        issued = self.day(record.issue_time)
        days = [1 if time is None else self.day(time) for time in record.embargoes]

        # a section goes only where its header goes
        days = [max(day, days[0]) for day in days]
        return tuple(1 if day <= issued else day for day in days)


def current_records(session: Session) -> Iterator[CurrentRecord]:
    """Yield the records that are held and not superseded, in the order of arrival."""
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
        # the order of sections differs between issuers, and makes no difference to a policy
        some = [header, *sorted(sections, key=attrgetter("class_id"))]
        yield CurrentRecord(
            header.issuer,
            header.issue_time,
            header.subject_seq,
            tuple(row.class_id for row in some),
            tuple(row.embargo_time for row in some),
            tuple(row.content for row in some),
        )


def issued_records(
    session: Session, held: list[CurrentRecord], calendar: ScenarioCalendar
) -> dict[str, list[IssuedRecords]]:
    """Return the entries of each issuer, without withdrawn records."""
    query = select(HandlingClassRow.class_id, HandlingClassRow.facts)
    rows = session.connection().execute(query)
    facts = {class_id: PartFacts.from_json(text.encode()) for class_id, text in rows}

    # (1) records whose parts have the same classes and embargoes
    alike: dict[tuple[tuple[int, ...], tuple[int, ...]], list[CurrentRecord]] = defaultdict(list)
    for record in held:
        if not facts[record.classes[0]].withdrawn:
            alike[record.classes, calendar.embargo(record)].append(record)

    # (2) in the order in which a node releases them: class by class
    issues: dict[str, list[IssuedRecords]] = defaultdict(list)
    for (classes, embargo), records in sorted(alike.items()):
        parts = [facts[class_id] for class_id in classes]
        issues[records[0].issuer].append(_entry(parts, embargo, records, calendar))
    return issues


def _entry(
    parts: Sequence[PartFacts],
    embargo: tuple[int, ...],
    records: Sequence[CurrentRecord],
    calendar: ScenarioCalendar,
) -> KnownRecords:
    """Return the entry for records that are alike; ``parts`` are the facts of their parts."""
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
