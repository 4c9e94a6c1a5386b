"""Views of a record: its header, and each section as present, withheld or broken.

Invariant: a view says only what the record says. Whether the record can be believed is decided
before, by ``record_steps`` or by the client of a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from comity.record.handling import Handling
from comity.record.record import OpenedRecord
from comity.record.section import Disclosure
from comity.record.statement import Statement
from comity.record.times import format_time


class SectionStatus(StrEnum):
    """The state of a section. Broken: its disclosure does not fit the header or its model."""

    PRESENT = "present"
    WITHHELD = "withheld"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class SectionView:
    """One section. ``index`` is its place in the header, from 0; ``digest`` is lower-case hex.

    ``name`` is empty if the header leaves it out and the section is withheld. ``content`` is a
    plain JSON value, None unless the section is present. ``problem`` says why a section is broken.
    """

    index: int
    name: str
    status: SectionStatus
    handling: Handling
    digest: str
    content: Any = None
    problem: str = ""

    @property
    def label(self) -> str:
        """The name, or ``#<index>`` for a section without one."""
        return self.name or f"#{self.index}"

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form. ``content`` and ``problem`` stand in it only if there are any."""
        value: dict[str, Any] = {
            "index": self.index,
            "name": self.name or None,
            "status": str(self.status),
            "handling": self.handling.to_value(),
            "digest": {"sha256": self.digest},
        }
        if self.status is SectionStatus.PRESENT:
            # also null: a section may be present, and its value None
            value["content"] = self.content
        if self.problem:
            value["problem"] = self.problem
        return value


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record's header and sections, for people and programs to read."""

    record_id: str
    keyid: str
    statement: Statement
    sections: tuple[SectionView, ...]

    @classmethod
    def of(cls, opened: OpenedRecord) -> RecordView:
        """Return the view of a record that passed every check, so no section is broken."""
        keyid = opened.record.envelope.keyid
        sections = view_sections(opened.statement, opened.disclosures, {})
        return cls(opened.record_id, keyid, opened.statement, sections)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form: the predicate, with this view's sections in place of its own."""
        predicate = self.statement.predicate.to_value()
        subject = self.statement.subject[0].to_value()
        return {
            "recordId": self.record_id,
            "kind": str(self.statement.kind),
            "keyid": self.keyid,
            "subject": subject,
            **predicate,
            "sections": [section.to_value() for section in self.sections],
        }


def view_sections(
    statement: Statement, disclosures: Mapping[int, Disclosure], problems: Mapping[int, str]
) -> tuple[SectionView, ...]:
    """Return the sections of the header. Both mappings are keyed by the index in the header."""
    views = []
    for index, section in enumerate(statement.predicate.sections):
        disclosure = disclosures.get(index)
        problem = problems.get(index, "")
        status = SectionStatus.PRESENT if disclosure else SectionStatus.WITHHELD

        # a problem hides the content: a reader must not take it for what was signed
        view = SectionView(
            index=index,
            name=section.name or (disclosure.name if disclosure else ""),
            status=SectionStatus.BROKEN if problem else status,
            handling=statement.section_handling(index),
            digest=section.digest.sha256,
            content=disclosure.value if disclosure and not problem else None,
            problem=problem,
        )
        views.append(view)
    return tuple(views)


def describe_handling(handling: Handling) -> str:
    """Say in words what goes beyond the TLP label; empty if nothing does."""
    said = []
    if handling.releasable_to is not None:
        said.append(f"releasable to {', '.join(handling.releasable_to) or 'nobody'}")
    if handling.onward:
        said.append("may be passed on")
    if handling.embargo:
        said.append(f"not before {format_time(handling.embargo)}")
    if handling.purposes:
        said.append(f"only for {', '.join(handling.purposes)}")
    return "; ".join(said)
