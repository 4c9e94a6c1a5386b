"""A bound on what one call's statements may cost: they end at a deadline, or when they are told to.

Invariants: a statement that is ended changes nothing, since only reading sessions are bounded; none
outlives its limit, and hardly any its caller.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from comity.record.limits import Limit

_STEPS: Final = 10_000
"""Instructions of SQLite's machine between two looks at the clock: some hundred microseconds."""


class StatementLimit:
    """Ends the statements of one reading session after a limit of seconds, or at ``stop``."""

    def __init__(self, limit: Limit) -> None:
        """Begin to count the seconds."""
        self._limit = limit
        self._begun = time.monotonic()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        # PostgreSQL's connection while a statement may run on it
        self._running: Any = None

    def stop(self) -> None:
        """End the statement that runs; from any thread.

        On PostgreSQL a statement that is about to begin runs on, until the limit.
        """
        self._stopped.set()
        with self._lock:
            if self._running is not None:
                self._running.cancel()

    @contextmanager
    def bound(self, session: Session) -> Iterator[None]:
        """Bound the statements of a session of ``Store.read`` while the context is open.

        Raises:
            LimitExceeded: a statement was ended, or the limit was over before.
        """
        if self._is_over():
            raise self._limit.exceeded(math.ceil(self._elapsed()))

        connection = session.connection()
        driver: Any = connection.connection.driver_connection
        limited = self._sqlite if connection.dialect.name == "sqlite" else self._postgres
        try:
            with limited(driver):
                yield
        except DBAPIError as error:
            if not self._is_over():
                raise
            raise self._limit.exceeded(math.ceil(self._elapsed())) from error

    def _elapsed(self) -> float:
        return time.monotonic() - self._begun

    def _is_over(self) -> bool:
        return self._stopped.is_set() or self._elapsed() > self._limit

    @contextmanager
    def _sqlite(self, driver: Any) -> Iterator[None]:
        driver.set_progress_handler(self._is_over, _STEPS)
        try:
            yield
        finally:
            driver.set_progress_handler(None, 0)

    @contextmanager
    def _postgres(self, driver: Any) -> Iterator[None]:
        left = max(1, round((self._limit - self._elapsed()) * 1000))
        # for this transaction only, which ends with the session
        driver.execute(f"SET LOCAL statement_timeout = {left}")
        with self._lock:
            self._running = driver
        try:
            yield
        finally:
            with self._lock:
                self._running = None
