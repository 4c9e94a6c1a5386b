"""Text from outside, made fit for the database.

PostgreSQL neither stores nor looks for text with U+0000 (PostgreSQL manual, section 8.3).
Invariant: such text reaches no query, so that SQLite and PostgreSQL answer alike.
"""

from __future__ import annotations

from typing import Final, TypeVar

from sqlmodel import Session, SQLModel

MAX_MESSAGE_CHARS: Final = 1000
"""Longest message that is kept: an error may quote what a peer sent."""

_Row = TypeVar("_Row", bound=SQLModel)


def is_storable(text: str) -> bool:
    """True if a column can hold the text, and a query can look for it."""
    return "\x00" not in text


def storable_message(text: str) -> str:
    """Return a message as a column can hold it: no U+0000, at most MAX_MESSAGE_CHARS characters."""
    return text.replace("\x00", "")[:MAX_MESSAGE_CHARS]


def find_row(session: Session, table: type[_Row], key: str) -> _Row | None:
    """Return the row of a primary key that somebody typed or sent; None if there is none."""
    return session.get(table, key) if is_storable(key) else None
