"""Logs refused calls, without letting callers fill the log.

Invariant: for each institute and reason there is at most one line in EVERY_SECONDS, which says how
many refusals it stands for; memory grows with pinned institutes and reasons only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import structlog

from comity.record.errors import ComityError
from comity.record.spiffe import SpiffeId

EVERY_SECONDS: Final = 10.0
"""The least time between two lines about the same institute and reason."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Told:
    """When a line was written, and how many refusals came since."""

    time: float = float("-inf")
    since: int = 0


class RefusalLog:
    """Counts refusals, and logs some of them."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], _Told] = {}

    def add(self, method: str, caller: SpiffeId | None, error: ComityError) -> None:
        """Log a refusal, or count it towards the next line. ``caller`` None is not known."""
        # only identities that were checked: a stranger could make up any number
        institute = caller.institute if caller else ""
        told = self._told.setdefault((institute, error.reason), _Told())
        now = time.monotonic()
        if now - told.time < EVERY_SECONDS:
            told.since += 1
            return

        log.info(
            "refused",
            method=method,
            institute=institute,
            reason=error.reason,
            error=str(error),
            refused_since=told.since,
        )
        told.time, told.since = now, 0
