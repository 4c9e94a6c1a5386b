"""Writes a batch of examined records: rows are gathered first and written together.

Invariants: row numbers continue without gaps from what is committed, in the order of arrival; a
header's part comes before its sections' parts; standing and the log change with the records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, SQLModel, col, select

from comity.node.classes import ClassKey
from comity.node.clock import to_milliseconds
from comity.node.reckoning import reckon_records
from comity.node.rows import insert_rows, last_number
from comity.node.tables import HEADER, Part, PartDomain, RecordRow, RecordTag
from comity.node.tlog import tree
from comity.node.words import header_words, model_words, section_words
from comity.record.log import leaf
from comity.record.record import OpenedRecord

if TYPE_CHECKING:
    from comity.node.intake import Arrival


class Shelf:
    """One batch on its way into the tables. Must live and be written in ``Store.write``."""

    def __init__(self, session: Session, class_ids: dict[ClassKey, int], now: int) -> None:
        self._session = session
        self._class_ids = class_ids
        self._now = now
        self._rows: dict[type[SQLModel], list[dict[str, Any]]] = {
            table: [] for table in (RecordRow, RecordTag, Part, PartDomain)
        }
        self._logged: list[tree.Entry] = []
        self._touched: set[tuple[str, str]] = set()
        self._record_seq: int = last_number(session, RecordRow.record_seq)
        self._part_id: int = last_number(session, Part.part_id)

    def add_record(self, arrival: Arrival, *, own: bool) -> int:
        """Take a record that is not held, without its parts; return its ``record_seq``."""
        self._record_seq += 1
        predicate, envelope = arrival.opened.statement.predicate, arrival.opened.record.envelope
        issuer, kind = arrival.opened.statement.issuer.institute, arrival.opened.statement.kind
        self._rows[RecordRow].append(
            {
                "record_seq": self._record_seq,
                "record_id": arrival.opened.record_id,
                "kind": str(kind),
                "issuer": issuer,
                "issue_time": to_milliseconds(predicate.issue_time),
                "subject": _subject(arrival),
                "model": model_words(arrival.opened),
                "supersedes": predicate.supersedes,
                "superseded": False,
                "origin": arrival.origin,
                "received_time": self._now,
                "keyid": envelope.keyid,
                "signature": envelope.signature,
                "payload": envelope.payload,
            }
        )
        for tag in set(predicate.tags):
            self._rows[RecordTag].append({"tag": tag, "record_seq": self._record_seq})
        if own:
            body = leaf(arrival.opened.record.envelope, arrival.key)
            self._logged.append(tree.Entry(arrival.opened.record_id, body))
        return self._record_seq

    def add_parts(self, arrival: Arrival, record_seq: int, sections: set[int]) -> None:
        """Take those parts of a record that are not held; HEADER is its header."""
        if sections:
            issuer = arrival.opened.statement.issuer.institute
            self._touched.add((issuer, _subject(arrival)))
        for section in sorted(sections):
            self._part_id += 1
            described = arrival.parts[section]
            self._rows[Part].append(
                {
                    "part_id": self._part_id,
                    "record_seq": record_seq,
                    "section": section,
                    "class_id": self._class_ids[described.key],
                    "origin": arrival.origin,
                    "severity": described.facts.severity,
                    **_content(arrival.opened, section),
                }
            )
            for domain in described.facts.domains:
                self._rows[PartDomain].append({"domain": domain, "part_id": self._part_id})

    def write(self) -> None:
        """Insert what was taken."""
        for table, rows in self._rows.items():
            if rows:
                insert_rows(self._session, table, rows)
        if self._logged:
            tree.append(self._session, self._logged)
        reckon_records(self._session, self._touched | self._mark_superseded(), self._now)

    def _mark_superseded(self) -> set[tuple[str, str]]:
        """Mark records that have been superseded; return their (issuer, subject)."""
        # either end may have arrived first: mark what this batch names, and what was named before
        rows = self._rows[RecordRow]
        ids = {row["supersedes"] for row in rows} - {None} | {row["record_id"] for row in rows}
        later = aliased(RecordRow)
        named = exists().where(
            col(later.supersedes) == RecordRow.record_id, col(later.issuer) == RecordRow.issuer
        )
        which = (col(RecordRow.record_id).in_(ids), ~col(RecordRow.superseded), named)
        found = set(self._session.exec(select(RecordRow.issuer, RecordRow.subject).where(*which)))
        if found:
            change = update(RecordRow).where(*which).values(superseded=True)
            self._session.connection().execute(change)
        return found


def _subject(arrival: Arrival) -> str:
    return arrival.opened.statement.subject[0].digest.sha256


def _content(opened: OpenedRecord, section: int) -> dict[str, Any]:
    if section == HEADER:
        handling = opened.statement.predicate.handling
        size = len(opened.record.envelope.payload)
        words = header_words(opened)
        columns = {"name": "", "words": words, "content": 0, "size": size, "disclosure": None}
    else:
        handling = opened.statement.section_handling(section)
        disclosure = opened.disclosures[section]
        words, content = section_words(opened, section)
        columns = {
            "name": disclosure.name,
            "words": words,
            "content": content,
            "size": len(disclosure.encoded),
            "disclosure": disclosure.encoded,
        }
    embargo = handling.embargo
    return columns | {"embargo_time": to_milliseconds(embargo) if embargo else None}
