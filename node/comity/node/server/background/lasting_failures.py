"""Logs a failure that lasts once when it begins, and once when it is over.

A database that is away fails every piece of background work, again and again. Invariants: there is
one line when that begins, and one when it has ended; an error that nobody foresaw is logged with
its traceback each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from comity.node.database.failures import advice

DATABASE_AWAY: Final = (OperationalError, InterfaceError)
"""Errors of a database that is full, locked, read-only or out of reach."""

log = structlog.get_logger()


class LastingFailures:
    """Remembers whether the database is away, for all background work of a node."""

    def __init__(self) -> None:
        self._away = False

    @contextmanager
    def told(self, failure: str) -> Iterator[None]:
        """Log what fails inside, so that the work goes on with the next turn."""
        try:
            yield
        except DATABASE_AWAY as error:
            self.database_failed(error)
        except Exception:
            log.exception(failure)
        else:
            self._database_answered()

    def database_failed(self, error: OperationalError | InterfaceError) -> None:
        """Log that the database is away, unless that is known."""
        if not self._away:
            self._away = True
            log.error("the database is away", error=_in_a_line(error), hint=advice(error))

    def _database_answered(self) -> None:
        if self._away:
            self._away = False
            log.info("the database is back")


def _in_a_line(error: OperationalError | InterfaceError) -> str:
    return " ".join(str(error.orig).split())[:300]
