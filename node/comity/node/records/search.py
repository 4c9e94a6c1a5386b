"""Finding records: the pages of a search, newest or best first, and what arrived since.

Invariants: pages ordered by arrival do not overlap while records arrive; pages ordered by relevance
leave out what arrived after the first of them.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import case
from sqlalchemy import func as sql
from sqlalchemy import select as sql_select
from sqlmodel import Session, select

from comity.node.database.cursors import make_page_token, read_page_token
from comity.node.database.rows import last_number
from comity.node.database.tables import HEADER, PartRow, RecordRow
from comity.node.database.text_index import ranked_parts
from comity.node.records.filter import RecordFilter, conditions
from comity.node.records.withdrawal import withdrawal_notices
from comity.record.errors import InvalidInput, NotFound
from comity.record.limits import Limit

DEFAULT_SEARCH_PAGE: Final = 50
MAX_SEARCH_PAGE: Final = Limit("MAX_SEARCH_PAGE", 256, "records")
SEARCH_PAGE_BYTES: Final = 6 << 20
"""Bytes of one page's records together; leaves room for one more record within a message."""

_HEADER_WEIGHT: Final = 4
"""What a match in title, summary, tags or names is worth, of those in sections."""

MIN_PREFIX_CHARS: Final = 8
_RECORD_ID: Final = re.compile(rf"[0-9a-f]{{{MIN_PREFIX_CHARS},64}}")


class SearchOrder(StrEnum):
    """The order of results. RELEVANCE is NEWEST if the filter has no texts."""

    NEWEST = "newest"
    RELEVANCE = "relevance"


def search_records(
    session: Session,
    wanted: RecordFilter,
    page_size: int = 0,
    page_token: str = "",
    order: SearchOrder = SearchOrder.RELEVANCE,
) -> tuple[list[RecordRow], str]:
    """Return a page of records, and the token of the next page, empty on the last page.

    ``page_size`` is 1 to MAX_SEARCH_PAGE; 0 means DEFAULT_SEARCH_PAGE. A page may hold fewer
    records, so that it fits into a message.

    Raises:
        LimitExceeded: page_size is over MAX_SEARCH_PAGE; also as ``RecordFilter.check``.
        InvalidInput: as ``RecordFilter.check``.
        BadCursor: ``page_token`` is no token of a search.
    """
    MAX_SEARCH_PAGE.check(page_size, "page_size")
    size = page_size or DEFAULT_SEARCH_PAGE
    newest = last_number(session, RecordRow.record_seq)
    until, skip = read_page_token(page_token, newest, 0)

    query = select(RecordRow).where(*conditions(session, wanted), RecordRow.record_seq <= until)
    by_score = order is SearchOrder.RELEVANCE and bool(wanted.texts)
    query = _best_first(session, query, wanted) if by_score else query

    # one row more than asked for says whether there is a next page
    query = query.order_by(RecordRow.record_seq.desc()).offset(skip).limit(size + 1)
    rows = list(session.exec(query))
    page = _fit(session, rows[:size])

    if len(rows) == len(page):
        return page, ""
    # ranks are no place to go on from, so pages of them are counted
    next_page = (until, skip + len(page)) if by_score else (page[-1].record_seq - 1, 0)
    return page, make_page_token(*next_page)


def records_after(
    session: Session, wanted: RecordFilter, after: int, limit: int
) -> list[RecordRow]:
    """Return the first ``limit`` records after a row number that match a filter, oldest first.

    Raises: as ``RecordFilter.check``.
    """
    matching = conditions(session, wanted, after)
    query = select(RecordRow).where(*matching, RecordRow.record_seq > after)
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


def _best_first(session: Session, query: Any, wanted: RecordFilter) -> Any:
    """Order records by how well their parts match: the sum over parts, the header's weighing more.

    The order of two records can differ between kinds of database, which rank by other formulas.
    """
    phrases = [phrase for text in wanted.phrases() for phrase in text]
    ranked = ranked_parts(session, phrases)
    weight = case((PartRow.section == HEADER, _HEADER_WEIGHT), else_=1)

    scores = (
        sql_select(PartRow.record_seq, sql.sum(ranked.c.score * weight).label("score"))
        .join(ranked, ranked.c.part_id == PartRow.part_id)
        .group_by(PartRow.record_seq)
        .subquery("scores")
    )
    joined = query.join(scores, scores.c.record_seq == RecordRow.record_seq)
    return joined.order_by(scores.c.score.desc())


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
