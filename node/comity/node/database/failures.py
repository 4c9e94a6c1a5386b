"""Why a database failed in the middle of the work, and what an operator can do about it.

The driver's code decides: the result code of SQLite, the SQLSTATE of PostgreSQL (appendix A of its
manual). The text of an error is for people, and changes with versions and languages.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy.exc import DBAPIError

AGAIN: Final = "run the command again"
ROOM: Final = "make room for the database, and in TMPDIR for its temporary files"
REACH: Final = "see that the database server is up and can be reached, and run the command again"

ACCESS: Final = "let this user read and write the database's file and its folder"
DAMAGED: Final = "put the database back from a backup: its file is damaged"

_SQLITE_ADVICE: Final = {
    sqlite3.SQLITE_FULL: ROOM,
    # also the temporary files of a full disk
    sqlite3.SQLITE_IOERR: ROOM,
    sqlite3.SQLITE_READONLY: ACCESS,
    sqlite3.SQLITE_CANTOPEN: ACCESS,
    sqlite3.SQLITE_PERM: ACCESS,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
}
_CONNECTION_LOST: Final = ("08", "57P")
_DISK_FULL: Final = "53100"


def advice(error: DBAPIError) -> str:
    """Return what an operator can do, in words that begin a hint."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        # the low byte of an extended result code is the primary one
        code = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        return _SQLITE_ADVICE.get(code, AGAIN)

    # without a SQLSTATE it was not the server that spoke: there is no connection to it
    state: str | None = getattr(cause, "sqlstate", None)
    if state is None or state.startswith(_CONNECTION_LOST):
        return REACH
    return ROOM if state == _DISK_FULL else AGAIN
