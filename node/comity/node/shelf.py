"""Writes a batch of examined records: rows are gathered first and written together.

Invariants: row numbers continue without gaps from what is committed, in the order of arrival; a
header's part comes before its sections' parts; standing and the log change with the records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import exists, func, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, SQLModel, col, select

from comity.node.classes import ClassKey
from comity.node.clock import to_milliseconds
from comity.node.standing import add_standing
from comity.node.tables import HEADER, LogEntry, Part, PartDomain, RecordRow, RecordTag
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
            table: [] for table in (RecordRow, RecordTag, Part, PartDomain, LogEntry)
        }
        self._received = Counter[tuple[str, str]]()
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
            self._log(arrival)
        else:
            self._received[issuer, str(kind)] += 1
        return self._record_seq

    def add_parts(self, arrival: Arrival, record_seq: int, sections: set[int]) -> None:
        """Take those parts of a record that are not held; HEADER is its header."""
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
        add_standing(self._session, "received", self._received)
        self._mark_superseded()

    def _log(self, arrival: Arrival) -> None:
        entries = self._rows[LogEntry]
        if not entries:
            self._log_index = last_number(self._session, LogEntry.log_index, default=-1)
        self._log_index += 1
        body = leaf(arrival.opened.record.envelope, arrival.key)
        record_id = arrival.opened.record_id
        entries.append({"log_index": self._log_index, "record_id": record_id, "leaf": body})

    def _mark_superseded(self) -> None:
        # either end may have arrived first: mark what this batch names, and what was named before
        rows = self._rows[RecordRow]
        ids = {row["supersedes"] for row in rows} - {None} | {row["record_id"] for row in rows}
        later = aliased(RecordRow)
        named = exists().where(
            col(later.supersedes) == RecordRow.record_id, col(later.issuer) == RecordRow.issuer
        )
        change = update(RecordRow).where(col(RecordRow.record_id).in_(ids), named)
        self._session.connection().execute(change.values(superseded=True))


def insert_rows(session: Session, table: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that hold every column in the driver's own types.

    Goes past SQLAlchemy's processing of each parameter, which costs more than SQLite does.
    """
    connection = session.connection()
    names = ", ".join(rows[0])
    form = ":{}" if connection.dialect.name == "sqlite" else "%({})s"
    values = ", ".join(form.format(name) for name in rows[0])
    # names of tables and columns are this module's own, never input
    into = f"INSERT INTO {table.__tablename__} ({names})"
    connection.exec_driver_sql(f"{into} VALUES ({values})", rows)


def last_number(session: Session, column: Any, default: int = 0) -> int:
    """Return the highest row number in use, or ``default`` where there is no row."""
    number: int | None = session.exec(select(func.max(column))).one()
    return default if number is None else number


def _content(opened: OpenedRecord, section: int) -> dict[str, Any]:
    if section == HEADER:
        handling = opened.statement.predicate.handling
        size = len(opened.record.envelope.payload)
        content = {"name": "", "words": header_words(opened), "size": size, "disclosure": None}
    else:
        handling = opened.statement.section_handling(section)
        disclosure = opened.disclosures[section]
        content = {
            "name": disclosure.name,
            "words": section_words(opened, section),
            "size": len(disclosure.encoded),
            "disclosure": disclosure.encoded,
        }
    embargo = handling.embargo
    return content | {"embargo_time": to_milliseconds(embargo) if embargo else None}
