"""Time, as the tables hold it: Unix milliseconds, UTC.

Invariant: everything that asks what time it is takes a ``Clock``, so that a test can turn it.
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
    """Return an aware UTC datetime."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_milliseconds(when: datetime) -> int:
    """Return Unix milliseconds of an aware datetime."""
    return int(when.timestamp() * 1000)
