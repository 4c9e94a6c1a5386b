"""Finding records: a filter becomes one SQL query over indexed columns and words.

Invariants: values are bound parameters, never pasted into SQL; results are ordered by arrival,
newest first, so that pages do not overlap while records arrive. The caller bounds a filter by
MAX_FILTER_BYTES.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Final

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import Mapped
from sqlmodel import Session, select

from comity.node.database.cursors import make_page_token
from comity.node.database.tables import PartDomainRow, PartRow, RecordRow, RecordTagRow
from comity.node.database.text import is_storable
from comity.node.records.withdrawal import withdrawal_notices
from comity.record.errors import InvalidInput, NotFound
from comity.record.kind import Kind
from comity.record.limits import Limit
from comity.record.severity import Severity

DEFAULT_SEARCH_PAGE: Final = 50
MAX_SEARCH_PAGE: Final = Limit("MAX_SEARCH_PAGE", 256, "records")
SEARCH_PAGE_BYTES: Final = 6 << 20
"""Bytes of one page's records together; leaves room for one more record within a message."""

MAX_FILTER_WORDS: Final = Limit("MAX_FILTER_WORDS", 32, "words")
"""Words of a filter's text: each of them is looked for in the words of all parts."""

MAX_WORD_CHARS: Final = Limit("MAX_WORD_CHARS", 64, "characters")
"""Characters of one such word. Where a text nearly holds it again and again, the cost of looking
for it is its length times that of the text."""

NEWEST: Final = 2**62
"""A row number above that of every record: the first page begins below it."""

MIN_PREFIX_CHARS: Final = 8
_RECORD_ID: Final = re.compile(rf"[0-9a-f]{{{MIN_PREFIX_CHARS},64}}")


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Conditions for records: "and" between fields, "or" between the values of one field.

    An empty field does not restrict. ``model`` and ``text`` ignore case; ``tags`` and ``domains``
    do not. ``min_severity`` is low, moderate, high or critical. All words of ``text`` must occur,
    each in any part of the record.
    """

    kinds: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    model: str = ""
    tags: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    min_severity: str = ""
    text: str = ""
    include_superseded: bool = False
    include_withdrawn: bool = False


def search_records(
    session: Session, wanted: RecordFilter, page_size: int, before: int
) -> tuple[list[RecordRow], str]:
    """Return a page of records before a row number, and the token of the next page.

    ``page_size`` is 1 to MAX_SEARCH_PAGE; 0 means DEFAULT_SEARCH_PAGE. A page may hold fewer
    records, so that it fits into a message. The token is empty on the last page.

    Raises:
        LimitExceeded: page_size is over MAX_SEARCH_PAGE, or the filter's text over
            MAX_FILTER_WORDS or MAX_WORD_CHARS.
        InvalidInput: an unknown kind or severity, or U+0000 in a text; names the field.
    """
    MAX_SEARCH_PAGE.check(page_size, "page_size")
    size = page_size or DEFAULT_SEARCH_PAGE

    # one row more than asked for says whether there is a next page
    query = select(RecordRow).where(*_conditions(wanted), RecordRow.record_seq < before)
    query = query.order_by(RecordRow.record_seq.desc()).limit(size + 1)
    rows = list(session.exec(query))

    page = _fit(session, rows[:size])
    more = len(rows) > len(page)
    return page, make_page_token(page[-1].record_seq) if more else ""


def records_after(
    session: Session, wanted: RecordFilter, after: int, limit: int
) -> list[RecordRow]:
    """Return the first ``limit`` records after a row number that match a filter, oldest first.

    Raises: as ``search_records``.
    """
    query = select(RecordRow).where(*_conditions(wanted), RecordRow.record_seq > after)
    return list(session.exec(query.order_by(RecordRow.record_seq).limit(limit)))


def find_record(session: Session, record_id: str) -> RecordRow:
    """Return the record with an id, or with the only id that has this prefix.

    Raises:
        InvalidInput: not 8 to 64 lower-case hex digits, or a prefix of several records' ids.
        NotFound: no such record here.
    """
    if not _RECORD_ID.fullmatch(record_id):
        message = f"expected {MIN_PREFIX_CHARS} to 64 lower-case hex digits, got {record_id!r:.80}"
        raise InvalidInput(message, field="record_id")

    # a second one tells that the prefix is too short
    query = select(RecordRow).where(RecordRow.record_id.startswith(record_id)).limit(2)
    rows = list(session.exec(query))

    if not rows:
        raise NotFound(f"no record {record_id} here", field="record_id")
    if len(rows) > 1:
        raise InvalidInput(f"{record_id} begins several ids: give more digits", field="record_id")
    return rows[0]


def _conditions(wanted: RecordFilter) -> list[ColumnElement[bool]]:
    """Return the conditions for ``RecordRow`` that a filter states.

    Raises: as ``search_records``.
    """
    _check_storable(wanted)
    _check_known("filter.kinds", wanted.kinds, Kind)
    found: list[ColumnElement[bool]] = []

    # (1) columns of the record's own row
    if wanted.kinds:
        found.append(RecordRow.kind.in_(wanted.kinds))
    if wanted.issuers:
        found.append(RecordRow.issuer.in_(wanted.issuers))
    if wanted.model:
        found.append(_contains(RecordRow.model, wanted.model))
    if not wanted.include_superseded:
        found.append(~RecordRow.superseded)
    if not wanted.include_withdrawn:
        found.append(~RecordRow.withdrawn)

    # (2) its tags, and its disclosed sections: each condition may hold for another section
    if wanted.tags:
        tagged = select(RecordTagRow.record_seq).where(RecordTagRow.tag.in_(wanted.tags))
        found.append(RecordRow.record_seq.in_(tagged))
    if wanted.domains:
        found.append(_has_part(_in_domain(wanted.domains)))
    if wanted.min_severity:
        _check_known("filter.min_severity", [wanted.min_severity], Severity)
        found.append(_has_part(PartRow.severity >= Severity(wanted.min_severity).rank))
    found += [_has_part(_contains(PartRow.words, word)) for word in _words(wanted.text)]
    return found


def _fit(session: Session, rows: list[RecordRow]) -> list[RecordRow]:
    """Return as many of the first rows as fit into SEARCH_PAGE_BYTES, but at least one."""
    seqs = [row.record_seq for row in rows]
    sizes = dict.fromkeys(seqs, 0)
    query = select(PartRow.record_seq, PartRow.size).where(PartRow.record_seq.in_(seqs))
    for seq, size in session.exec(query):
        sizes[seq] += size

    # the notices of withdrawn records travel with them
    notices = withdrawal_notices(session, rows)

    total = 0
    for count, row in enumerate(rows):
        notice = notices.get(row.record_id)
        total += sizes[row.record_seq] + (len(notice.payload) if notice else 0)
        if count and total > SEARCH_PAGE_BYTES:
            return rows[:count]
    return rows


def _check_storable(wanted: RecordFilter) -> None:
    for field in fields(wanted):
        value = getattr(wanted, field.name)
        texts = value if isinstance(value, tuple) else (value,)
        if not all(is_storable(str(text)) for text in texts):
            raise InvalidInput("expected text without U+0000", field=f"filter.{field.name}")


def _words(text: str) -> set[str]:
    words = set(text.split())
    MAX_FILTER_WORDS.check(len(words), "filter.text")
    for word in words:
        MAX_WORD_CHARS.check(len(word), "filter.text")
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
