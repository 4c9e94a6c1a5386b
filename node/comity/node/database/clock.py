"""Time as the tables hold it: Unix milliseconds, UTC.

Invariant: all code that asks for the time takes a ``Clock``, so that a test can set it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Returns Unix milliseconds."""


def system_clock() -> int:
    """Return this machine's time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def to_datetime(milliseconds: int) -> datetime:
    """Return the aware UTC datetime of Unix milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_milliseconds(when: datetime) -> int:
    """Return the Unix milliseconds of an aware datetime, rounded down."""
    return int(when.timestamp() * 1000)
