"""The index that search looks in: made with each record, and made again where it is missing.

    part_text    the words of each part, and of a header the names of its model
    item         the domain and severity of each item of a section

Invariants: the index follows from what is stored, and from the rules of INDEX_VERSION, alone; it is
written in the transaction of the parts; making it again can be broken off and goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import structlog
from sqlalchemy import func
from sqlmodel import delete, select

from comity.node.database.rows import insert_rows
from comity.node.database.sessions import WriteSession
from comity.node.database.store import Store
from comity.node.database.tables import HEADER, ItemRow, PartRow, RecordRow, SearchIndexRow
from comity.node.database.text_index import PartText, clear_texts, insert_texts
from comity.node.records.search_words import header_words, model_words, section_words
from comity.record.content import items_of
from comity.record.section import Disclosure
from comity.record.statement import Statement

INDEX_VERSION: Final = 1
"""Raised when words are made by other rules; then every node makes its index again."""

_PARTS_AT_ONCE: Final = 200
"""Parts that are read and indexed in one transaction: at most some of 4 MiB each."""

_TELL_SECONDS: Final = 2
"""How often progress is told."""

log = structlog.get_logger()


class IndexRows:
    """The rows of the index for one batch of parts."""

    def __init__(self) -> None:
        self._texts: list[PartText] = []
        self._items: list[dict[str, Any]] = []

    def add_header(self, part_id: int, statement: Statement) -> None:
        """Take the header of a record."""
        self._texts.append(PartText(part_id, header_words(statement), model_words(statement)))

    def add_section(self, part_id: int, disclosure: Disclosure) -> None:
        """Take a disclosed section."""
        self._texts.append(PartText(part_id, section_words(disclosure)))
        for domain, severity in sorted(items_of(disclosure.value)):
            row = {"part_id": part_id, "domain": domain, "severity": severity}
            self._items.append(row)

    def write(self, session: WriteSession) -> None:
        """Insert all rows; the parts must be there."""
        if self._texts:
            insert_texts(session, self._texts)
        if self._items:
            insert_rows(session, ItemRow, self._items)


def complete_index(store: Store) -> None:
    """Make the index of whatever parts are not in it; the log tells of long work.

    Several processes may do so at once: each batch is one's alone.
    """
    with store.read() as session:
        state = session.get(SearchIndexRow, 1)
    if state and state.version == INDEX_VERSION and state.done >= state.until:
        return

    # told as a warning, since a command that was typed waits for it as well
    told = time.monotonic()
    while (progress := _index_batch(store)) is not None:
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            log.warning("indexing records for search, once", done=progress[0], of=progress[1])


def _index_batch(store: Store) -> tuple[int, int] | None:
    """Index the next parts; return the last of them, and the last of all; None at the end."""
    with store.write() as session:
        state = _state(session)
        rows = _next_parts(session, state)
        if not rows:
            state.done = state.until
            session.add(state)
            session.flush()
            return None

        _index(session, rows)
        state.done = rows[-1][0]
        session.add(state)
        session.flush()
        return state.done, state.until


def _state(session: WriteSession) -> SearchIndexRow:
    """Return the state of the index, which is emptied if other rules made it."""
    state = session.get(SearchIndexRow, 1) or SearchIndexRow()
    if state.version != INDEX_VERSION:
        clear_texts(session)
        session.exec(delete(ItemRow))
        last = session.exec(select(func.max(PartRow.part_id))).one() or 0
        state.version, state.done, state.until = INDEX_VERSION, 0, last
    return state


_Stored = tuple[int, int, bytes | None, bytes]
"""A part's id and section, its disclosure, and the payload of its record."""


def _next_parts(session: WriteSession, state: SearchIndexRow) -> Sequence[_Stored]:
    query = (
        select(PartRow.part_id, PartRow.section, PartRow.disclosure, RecordRow.payload)
        .join(RecordRow, RecordRow.record_seq == PartRow.record_seq)
        .where(PartRow.part_id > state.done, PartRow.part_id <= state.until)
        .order_by(PartRow.part_id)
        .limit(_PARTS_AT_ONCE)
    )
    return session.exec(query).all()


def _index(session: WriteSession, rows: Iterable[_Stored]) -> None:
    index = IndexRows()
    for part_id, section, disclosure, payload in rows:
        if section == HEADER:
            index.add_header(part_id, Statement.from_payload(payload))
        elif disclosure is not None:
            index.add_section(part_id, Disclosure.parse(disclosure))
    index.write(session)
