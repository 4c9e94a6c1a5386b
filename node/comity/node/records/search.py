"""Finding records: a filter becomes one SQL query over indexed columns and words.

Invariants: a filter is bounded before it becomes SQL (MAX_FILTER_BYTES); values are always bound,
never pasted; results come newest arrival first and pages do not overlap while records arrive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import Mapped
from sqlmodel import Session, select

from comity.node.database.cursors import make_page_token
from comity.node.database.tables import PartDomainRow, PartRow, RecordRow, RecordTagRow
from comity.record.content import Kind
from comity.record.errors import InvalidInput, NotFound
from comity.record.limits import MAX_FILTER_BYTES, Limit
from comity.record.severity import Severity
from comity.v1 import records_service_pb2 as pb

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = Limit("MAX_PAGE", 256, "records")
PAGE_BYTES: Final = 6 << 20
"""Records of one page together, leaving room for one more within a message."""

MAX_FILTER_WORDS: Final = Limit("MAX_FILTER_WORDS", 32, "words")
"""Words of a filter's text: each is a look through the words of all parts."""

NEWEST: Final = 2**62
"""A row number after every record: where the first page begins."""

MIN_PREFIX_CHARS: Final = 8
_RECORD_ID: Final = re.compile(rf"[0-9a-f]{{{MIN_PREFIX_CHARS},64}}")


def conditions(wanted: pb.RecordFilter) -> list[ColumnElement[bool]]:
    """Return what a filter asks of ``RecordRow``.

    Raises:
        LimitExceeded: the filter is over MAX_FILTER_BYTES, its text over MAX_FILTER_WORDS.
        InvalidInput: an unknown kind or severity, or U+0000; names the field.
    """
    MAX_FILTER_BYTES.check(wanted.ByteSize(), "filter")
    _check_storable(wanted)
    _check_known("filter.kinds", wanted.kinds, Kind)
    found: list[ColumnElement[bool]] = []
    if wanted.kinds:
        found.append(RecordRow.kind.in_(wanted.kinds))
    if wanted.issuers:
        found.append(RecordRow.issuer.in_(wanted.issuers))
    if wanted.model:
        found.append(_contains(RecordRow.model, wanted.model))
    if wanted.tags:
        tagged = select(RecordTagRow.record_seq).where(RecordTagRow.tag.in_(wanted.tags))
        found.append(RecordRow.record_seq.in_(tagged))
    if wanted.domains:
        found.append(_has_part(_in_domain(wanted.domains)))
    if wanted.min_severity:
        _check_known("filter.min_severity", [wanted.min_severity], Severity)
        found.append(_has_part(PartRow.severity >= Severity(wanted.min_severity).rank))
    found += [_has_part(_contains(PartRow.words, word)) for word in _words(wanted.text)]
    if not wanted.include_superseded:
        found.append(~RecordRow.superseded)
    return found


def search(
    session: Session, wanted: pb.RecordFilter, page_size: int, before: int
) -> tuple[list[RecordRow], str]:
    """Return a page of records before a row number, and the token of the next page.

    Raises:
        LimitExceeded, InvalidInput: as ``conditions``; or page_size is over MAX_PAGE.
    """
    MAX_PAGE.check(page_size, "page_size")
    size = page_size or DEFAULT_PAGE
    query = select(RecordRow).where(*conditions(wanted), RecordRow.record_seq < before)
    query = query.order_by(RecordRow.record_seq.desc()).limit(size + 1)
    rows = list(session.exec(query))
    page = _fit(session, rows[:size])
    more = len(rows) > len(page)
    return page, make_page_token(page[-1].record_seq) if more else ""


def arrived(session: Session, wanted: pb.RecordFilter, after: int, limit: int) -> list[RecordRow]:
    """Return the first ``limit`` matching records after a row number, oldest first."""
    query = select(RecordRow).where(*conditions(wanted), RecordRow.record_seq > after)
    return list(session.exec(query.order_by(RecordRow.record_seq).limit(limit)))


def find_record(session: Session, record_id: str) -> RecordRow:
    """Return a record by its id or a unique prefix of it.

    Raises:
        InvalidInput: not 8 to 64 lower-case hex digits, or a prefix of several records.
        NotFound: no such record here.
    """
    if not _RECORD_ID.fullmatch(record_id):
        message = f"expected {MIN_PREFIX_CHARS} to 64 lower-case hex digits, got {record_id!r:.80}"
        raise InvalidInput(message, field="record_id")
    query = select(RecordRow).where(RecordRow.record_id.startswith(record_id)).limit(2)
    rows = list(session.exec(query))
    if not rows:
        raise NotFound(f"no record {record_id} here", field="record_id")
    if len(rows) > 1:
        raise InvalidInput(f"{record_id} begins several ids: give more digits", field="record_id")
    return rows[0]


def disclosures_of(session: Session, record_seqs: Sequence[int]) -> dict[int, list[bytes]]:
    """Return the disclosures held of some records, by row number, in section order."""
    query = (
        select(PartRow.record_seq, PartRow.disclosure)
        .where(PartRow.record_seq.in_(record_seqs), PartRow.disclosure.is_not(None))
        .order_by(PartRow.record_seq, PartRow.section)
    )
    found: dict[int, list[bytes]] = {seq: [] for seq in record_seqs}
    for seq, disclosure in session.exec(query):
        found[seq].append(disclosure or b"")
    return found


def _fit(session: Session, rows: list[RecordRow]) -> list[RecordRow]:
    seqs = [row.record_seq for row in rows]
    sizes = dict.fromkeys(seqs, 0)
    query = select(PartRow.record_seq, PartRow.size).where(PartRow.record_seq.in_(seqs))
    for seq, size in session.exec(query):
        sizes[seq] += size
    total = 0
    for count, row in enumerate(rows):
        total += sizes[row.record_seq]
        if count and total > PAGE_BYTES:
            return rows[:count]
    return rows


def _check_storable(wanted: pb.RecordFilter) -> None:
    # no text of a record holds U+0000, and PostgreSQL refuses to look for it
    for field, value in wanted.ListFields():
        texts = (value,) if isinstance(value, str | bool) else value
        if any("\x00" in str(text) for text in texts):
            raise InvalidInput("expected text without U+0000", field=f"filter.{field.name}")


def _words(text: str) -> set[str]:
    words = set(text.split())
    MAX_FILTER_WORDS.check(len(words), "filter.text")
    return words


def _check_known(field: str, values: Iterable[str], known: type[Kind] | type[Severity]) -> None:
    for value in values:
        if value not in set(known):
            expected = ", ".join(known)
            raise InvalidInput(f"expected one of {expected}, got {value!r:.80}", field=field)


def _contains(column: Mapped[str], word: str) -> ColumnElement[bool]:
    return column.contains(word.lower(), autoescape=True)


def _in_domain(domains: Sequence[str]) -> ColumnElement[bool]:
    named = select(PartDomainRow.part_id).where(PartDomainRow.domain.in_(domains))
    return PartRow.part_id.in_(named)


def _has_part(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(PartRow.record_seq == RecordRow.record_seq, condition)
