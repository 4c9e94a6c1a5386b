"""Writes a batch of examined records: rows are gathered first and written together.

Invariants: row numbers continue without gaps from what is committed, in the order of arrival; a
header's part comes before its sections' parts; standing and the log change with the records.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import exists, update
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, select

from comity.node.database.clock import to_milliseconds
from comity.node.database.rows import insert_rows, last_number
from comity.node.database.store import WriteSession
from comity.node.database.tables import (
    HEADER,
    PartDomainRow,
    PartRow,
    RecordRow,
    RecordTagRow,
    SubjectRow,
    WithdrawnRow,
)
from comity.node.log import tree
from comity.node.policy.handling_classes import ClassKey
from comity.node.policy.standing.counters import reckon_added, reckon_ended
from comity.node.records.examination import Arrival
from comity.node.records.search_words import header_words, model_words, section_words
from comity.node.records.withdrawal import mark_withdrawn
from comity.record.log import leaf
from comity.record.record import OpenedRecord


class RecordWriter:
    """One batch of records on its way into the tables, within one transaction."""

    def __init__(self, session: WriteSession, class_ids: dict[ClassKey, int], now: int) -> None:
        self._session = session
        self._class_ids = class_ids
        self._now = now
        self._rows: dict[type[SQLModel], list[dict[str, Any]]] = {
            table: []
            for table in (RecordRow, RecordTagRow, SubjectRow, WithdrawnRow, PartRow, PartDomainRow)
        }
        self._logged: list[tree.Entry] = []
        self._grown: dict[int, str] = {}
        self._subjects: list[tuple[str, str]] = []
        self._record_seq = last_number(session, RecordRow.record_seq)
        self._part_id = last_number(session, PartRow.part_id)

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
                "subject_seq": self._record_seq,
                "model": model_words(arrival.opened),
                "supersedes": predicate.supersedes,
                "superseded": False,
                "withdrawn": False,
                "origin": arrival.origin,
                "received_time": self._now,
                "keyid": envelope.keyid,
                "signature": envelope.signature,
                "payload": envelope.payload,
            }
        )
        self._subjects.append(_subject(arrival))
        for tag in set(predicate.tags):
            self._rows[RecordTagRow].append({"tag": tag, "record_seq": self._record_seq})
        for record_id in set(arrival.opened.statement.withdraws):
            row = {"record_id": record_id, "notice_seq": self._record_seq}
            self._rows[WithdrawnRow].append(row)
        if own:
            body = leaf(arrival.opened.record.envelope, arrival.key)
            self._logged.append(tree.Entry(arrival.opened.record_id, body))
        return self._record_seq

    def add_parts(self, arrival: Arrival, record_seq: int, sections: set[int]) -> None:
        """Take those parts of a record that are not held; HEADER is its header."""
        if sections:
            self._grown[record_seq] = arrival.opened.record_id
        for section in sorted(sections):
            self._part_id += 1
            described = arrival.parts[section]
            self._rows[PartRow].append(
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
                self._rows[PartDomainRow].append({"domain": domain, "part_id": self._part_id})

    def write(self) -> None:
        """Insert what was taken."""
        self._number_subjects()
        for table, rows in self._rows.items():
            if rows:
                insert_rows(self._session, table, rows)
        if self._logged:
            tree.append(self._session, self._logged)
        named = {row["record_id"] for row in self._rows[WithdrawnRow]}
        ended = mark_withdrawn(self._session, {*self._grown.values(), *named})
        ended |= self._mark_superseded()
        reckon_added(self._session, self._grown, self._now)
        reckon_ended(self._session, ended, self._now)

    def _number_subjects(self) -> None:
        """Give each record the number of its subject, which the first about the same gave it."""
        known = self._known_subjects()
        for row, names in zip(self._rows[RecordRow], self._subjects, strict=True):
            keys = [(row["issuer"], row["kind"], name) for name in names]
            number = min((known[key] for key in keys if key in known), default=row["record_seq"])
            row["subject_seq"] = number
            for issuer, kind, name in {key: None for key in keys if key not in known}:
                known[issuer, kind, name] = number
                self._rows[SubjectRow].append(
                    {"issuer": issuer, "kind": kind, "subject": name, "subject_seq": number}
                )

    def _known_subjects(self) -> dict[tuple[str, str, str], int]:
        query = select(SubjectRow).where(
            SubjectRow.issuer.in_({row["issuer"] for row in self._rows[RecordRow]}),
            SubjectRow.kind.in_({row["kind"] for row in self._rows[RecordRow]}),
            SubjectRow.subject.in_({name for names in self._subjects for name in names}),
        )
        found = self._session.exec(query)
        return {(row.issuer, row.kind, row.subject): row.subject_seq for row in found}

    def _mark_superseded(self) -> set[tuple[str, int]]:
        """Mark records that have been superseded; return their (issuer, ``subject_seq``)."""
        # either end may have arrived first: mark what this batch names, and what was named before
        rows = self._rows[RecordRow]
        ids = {row["supersedes"] for row in rows} - {None} | {row["record_id"] for row in rows}
        later = aliased(RecordRow)
        named = exists().where(
            later.supersedes == RecordRow.record_id, later.issuer == RecordRow.issuer
        )
        which = (RecordRow.record_id.in_(ids), ~RecordRow.superseded, named)
        found = set(
            self._session.exec(select(RecordRow.issuer, RecordRow.subject_seq).where(*which))
        )
        if found:
            change = update(RecordRow).where(*which).values(superseded=True)
            self._session.connection().execute(change)
        return found


def _subject(arrival: Arrival) -> tuple[str, str]:
    """Return digest and name of what a record is about, either of which tells subjects apart."""
    subject = arrival.opened.statement.subject[0]
    # a name may be longer than what PostgreSQL takes into an index
    name = hashlib.sha256(subject.name.lower().encode()).hexdigest()
    return f"sha256:{subject.digest.sha256}", f"name:{name}"


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
