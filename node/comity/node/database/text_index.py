"""The index of words: SQLite's FTS5 or PostgreSQL's full text, behind one set of functions.

    part_text         part_id, words, names        one row for each part that is held

Words come from ``comity.record.search_terms``: folded, and of letters and digits only, so both
databases hold the same words and find the same parts. Invariants: what becomes a query is made of
such words; each part has at most MAX_PART_WORDS words, whatever its section holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Session

from comity.node.database.sessions import WriteSession
from comity.record.search_terms import Phrase

MAX_PART_WORDS: Final = 16_000
"""Words after which a part is cut: PostgreSQL knows 16,383 positions, and search finds a record
without reading all of it."""

_SQLITE: Final = sa.table(
    "part_text", sa.column("rowid", sa.BigInteger), sa.column("part_text", sa.Text)
)
_POSTGRES: Final = sa.table(
    "part_text",
    sa.column("part_id", sa.BigInteger),
    sa.column("words", TSVECTOR),
    sa.column("names", TSVECTOR),
)


class Column(StrEnum):
    """A column of the index: the words of a part's text, or the names of the record's model."""

    WORDS = "words"
    NAMES = "names"


@dataclass(frozen=True, slots=True)
class PartText:
    """The words of a part, in their order."""

    part_id: int
    words: Sequence[str]
    names: Sequence[str] = ()


def insert_texts(session: WriteSession, texts: Sequence[PartText]) -> None:
    """Add parts to the index, at least one; none of them may be in it."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        rows = [(t.part_id, _joined(t.words), _joined(t.names)) for t in texts]
        into = "INSERT INTO part_text (rowid, words, names) VALUES (?, ?, ?)"
        connection.exec_driver_sql(into, rows)
    else:
        rows = [(t.part_id, _placed(t.words), _placed(t.names)) for t in texts]
        into = "INSERT INTO part_text VALUES (%s, CAST(%s AS tsvector), CAST(%s AS tsvector))"
        connection.exec_driver_sql(into, rows)


def clear_texts(session: WriteSession) -> None:
    """Take every part out of the index."""
    connection = session.connection()
    sqlite = connection.dialect.name == "sqlite"
    # a table of FTS5 that keeps no text knows only this way to forget
    clear = "INSERT INTO part_text (part_text) VALUES ('delete-all')" if sqlite else None
    connection.exec_driver_sql(clear or "TRUNCATE part_text")


def parts_with(
    session: Session, column: Column, phrases: Iterable[Phrase], first_part: int = 0
) -> sa.Select[Any]:
    """Return the query for the ids of the parts from ``first_part`` on that hold one of phrases."""
    if _is_sqlite(session):
        match = _SQLITE.c.part_text.op("MATCH")(_fts5_query(column, phrases))
        return sa.select(_SQLITE.c.rowid).where(match, _SQLITE.c.rowid >= first_part)
    query = _tsquery(phrases)
    match = _POSTGRES.c[column].op("@@")(query)
    return sa.select(_POSTGRES.c.part_id).where(match, _POSTGRES.c.part_id >= first_part)


def ranked_parts(session: Session, phrases: Iterable[Phrase]) -> sa.CTE:
    """Return the parts that hold one of some phrases: ``part_id``, and ``score``, higher better."""
    if _is_sqlite(session):
        match = _SQLITE.c.part_text.op("MATCH")(_fts5_query(Column.WORDS, phrases))
        score = (-sa.func.bm25(_SQLITE.c.part_text)).label("score")
        query = sa.select(_SQLITE.c.rowid.label("part_id"), score).where(match)
    else:
        wanted = _tsquery(phrases)
        score = sa.func.ts_rank_cd(_POSTGRES.c.words, wanted).label("score")
        match = _POSTGRES.c.words.op("@@")(wanted)
        query = sa.select(_POSTGRES.c.part_id, score).where(match)
    # FTS5 ranks only where nothing is summed up at the same time
    return query.cte("ranked").prefix_with("MATERIALIZED")


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _joined(words: Sequence[str]) -> str:
    return " ".join(words[:MAX_PART_WORDS])


def _placed(words: Sequence[str]) -> str:
    """Return the text form of a tsvector: each word with its place, from 1."""
    return " ".join(f"{word}:{at}" for at, word in enumerate(words[:MAX_PART_WORDS], start=1))


def _fts5_query(column: Column, phrases: Iterable[Phrase]) -> str:
    """Return the query in the syntax of FTS5 (sqlite.org/fts5.html, section 3)."""
    terms = (f'"{" ".join(phrase.words)}"{" *" if phrase.prefix else ""}' for phrase in phrases)
    return f"{column} : ({' OR '.join(terms)})"


def _tsquery(phrases: Iterable[Phrase]) -> sa.ColumnElement[Any]:
    """Return the query in the syntax of tsquery (PostgreSQL, section 8.11.2)."""
    terms = ("<->".join(phrase.words) + (":*" if phrase.prefix else "") for phrase in phrases)
    text = "|".join(f"({term})" for term in terms)
    return sa.cast(sa.bindparam(None, text, sa.Text), _TsQuery())


class _TsQuery(sa.types.UserDefinedType[Any]):
    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the name of the type."""
        return "tsquery"
