"""Writes a batch of examined records: rows are gathered first, and then inserted together.

Invariants: row numbers go on from the last committed one without gaps, in the order of arrival; a
header's part has a lower number than its sections' parts; standing and the log change in the same
transaction as the records (invariant 4).
"""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import exists, update
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, select

from comity.node.database.clock import to_milliseconds
from comity.node.database.rows import insert_rows, last_number
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import (
    HEADER,
    PartRow,
    RecordRow,
    RecordTagRow,
    SubjectRow,
    WithdrawnRow,
)
from comity.node.log import tree
from comity.node.policy.handling_classes import ClassKey
from comity.node.policy.standing.entries import count_added_records, recount_subjects
from comity.node.records.examination import ExaminedRecord
from comity.node.records.search_index import IndexRows
from comity.node.records.search_words import content_chars
from comity.node.records.withdrawal import mark_withdrawn
from comity.record.log import leaf
from comity.record.record import OpenedRecord


class RecordWriter:
    """Writes one batch of records, within one transaction."""

    def __init__(self, session: WriteSession, class_ids: dict[ClassKey, int], now: int) -> None:
        self._session = session
        self._class_ids = class_ids
        self._now = now
        self._rows: dict[type[SQLModel], list[dict[str, Any]]] = {
            table: [] for table in (RecordRow, RecordTagRow, SubjectRow, WithdrawnRow, PartRow)
        }
        self._index = IndexRows()
        self._logged: list[tree.Entry] = []
        # record_seq and id of each record that got parts
        self._grown: dict[int, str] = {}
        # for each row of RecordRow, by which digest and name its subject is known
        self._subjects: list[tuple[str, str]] = []
        self._record_seq = last_number(session, RecordRow.record_seq)
        self._part_id = last_number(session, PartRow.part_id)

    def add_record(self, record: ExaminedRecord, *, own: bool) -> int:
        """Take a record that is not held, without its parts; return its ``record_seq``."""
        self._record_seq += 1
        opened, statement = record.opened, record.opened.statement
        predicate, envelope = statement.predicate, opened.record.envelope
        self._rows[RecordRow].append(
            {
                "record_seq": self._record_seq,
                "record_id": opened.record_id,
                "kind": str(statement.kind),
                "issuer": statement.issuer.institute,
                "issue_time": to_milliseconds(predicate.issue_time),
                "subject_seq": self._record_seq,
                "supersedes": predicate.supersedes,
                "superseded": False,
                "withdrawn": False,
                "origin": record.origin,
                "received_time": self._now,
                "keyid": envelope.keyid,
                "signature": envelope.signature,
                "payload": envelope.payload,
            }
        )
        self._subjects.append(subject_names(opened))

        for tag in set(predicate.tags):
            self._rows[RecordTagRow].append({"tag": tag, "record_seq": self._record_seq})
        for record_id in set(statement.withdraws):
            row = {"record_id": record_id, "notice_seq": self._record_seq}
            self._rows[WithdrawnRow].append(row)

        if own:
            self._logged.append(tree.Entry(opened.record_id, leaf(envelope, record.key)))
        return self._record_seq

    def add_parts(self, record: ExaminedRecord, record_seq: int, sections: set[int]) -> None:
        """Take those parts of a record that are not held; HEADER is its header."""
        if sections:
            self._grown[record_seq] = record.opened.record_id

        # HEADER is the lowest, so a header comes before its sections
        for section in sorted(sections):
            self._part_id += 1
            described = record.parts[section]
            self._rows[PartRow].append(
                {
                    "part_id": self._part_id,
                    "record_seq": record_seq,
                    "section": section,
                    "class_id": self._class_ids[described.key],
                    "origin": record.origin,
                    **_content_columns(record.opened, section),
                }
            )
            self._index_part(record.opened, section)

    def _index_part(self, opened: OpenedRecord, section: int) -> None:
        if section == HEADER:
            self._index.add_header(self._part_id, opened.statement)
        else:
            self._index.add_section(self._part_id, opened.disclosures[section])

    def write(self) -> None:
        """Insert all rows, and change whatever depends on them."""
        self._number_subjects()

        # (1) the rows of the records, their index, and for own records the leaves of the log
        for table, rows in self._rows.items():
            if rows:
                insert_rows(self._session, table, rows)
        self._index.write(self._session)
        if self._logged:
            tree.append(self._session, self._logged)

        # (2) records that are withdrawn or superseded, here or by what was held before
        named = {row["record_id"] for row in self._rows[WithdrawnRow]}
        ended = mark_withdrawn(self._session, {*self._grown.values(), *named})
        ended |= self._mark_superseded()

        # (3) standing, which counts what is held now
        count_added_records(self._session, self._grown, self._now)
        recount_subjects(self._session, ended, self._now)

    def _number_subjects(self) -> None:
        """Give each record the number of its subject: that of the first record about it."""
        known = self._known_subjects()
        for row, names in zip(self._rows[RecordRow], self._subjects, strict=True):
            keys = [(row["issuer"], row["kind"], name) for name in names]
            number = min((known[key] for key in keys if key in known), default=row["record_seq"])
            row["subject_seq"] = number

            # a digest or name that is new stands for this subject from now on
            for issuer, kind, name in {key: None for key in keys if key not in known}:
                known[issuer, kind, name] = number
                self._rows[SubjectRow].append(
                    {"issuer": issuer, "kind": kind, "subject": name, "subject_seq": number}
                )

    def _known_subjects(self) -> dict[tuple[str, str, str], int]:
        """Return the numbers of subjects known before, by issuer, kind and digest or name."""
        query = select(SubjectRow).where(
            SubjectRow.issuer.in_({row["issuer"] for row in self._rows[RecordRow]}),
            SubjectRow.kind.in_({row["kind"] for row in self._rows[RecordRow]}),
            SubjectRow.subject.in_({name for names in self._subjects for name in names}),
        )
        found = self._session.exec(query)
        return {(row.issuer, row.kind, row.subject): row.subject_seq for row in found}

    def _mark_superseded(self) -> set[tuple[str, int]]:
        """Mark records that have been superseded; return their (issuer, ``subject_seq``)."""
        # either version may arrive first: mark what this batch names, and what was named before
        rows = self._rows[RecordRow]
        ids = {row["supersedes"] for row in rows} - {None} | {row["record_id"] for row in rows}

        # only its own issuer can supersede a record
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


def subject_names(opened: OpenedRecord) -> tuple[str, str]:
    """Return a record's subject by its digest and by its name; either may be known already."""
    subject = opened.statement.subject[0]
    # hashed, since a name may be longer than PostgreSQL takes into an index
    name = hashlib.sha256(subject.name.lower().encode()).hexdigest()
    return f"sha256:{subject.digest.sha256}", f"name:{name}"


def _content_columns(opened: OpenedRecord, section: int) -> dict[str, Any]:
    """Return the columns of ``PartRow`` that follow from a part's text and handling."""
    if section == HEADER:
        handling = opened.statement.predicate.handling
        size = len(opened.record.envelope.payload)
        columns = {"name": "", "content": 0, "size": size, "disclosure": None}
    else:
        handling = opened.statement.section_handling(section)
        disclosure = opened.disclosures[section]
        columns = {
            "name": disclosure.name,
            "content": content_chars(disclosure),
            "size": len(disclosure.encoded),
            "disclosure": disclosure.encoded,
        }

    embargo = handling.embargo
    return columns | {"embargo_time": to_milliseconds(embargo) if embargo else None}
