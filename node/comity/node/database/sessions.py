"""The session of a writer, apart from the store so that every module that writes can name it."""

from __future__ import annotations

from sqlmodel import Session


class WriteSession(Session):
    """A session that holds the write lock; only a ``Store`` makes one.

    Every function that changes rows takes a ``WriteSession``, so that a type checker refuses a
    change in a session that only reads. What it changes is committed when the session closes
    without an exception.
    """
