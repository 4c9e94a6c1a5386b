"""Wakes background work when something was committed, in this process or in another.

Invariant: no ring is missed between looking and waiting. Other processes on the same database
cannot ring; ``background`` looks for their commits and rings in their place.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

IDLE_SECONDS: Final = 60.0
"""Whoever waits looks again after this long even if nothing rang."""


class Bell:
    """Counts rings; waiters say which ring they have heard."""

    def __init__(self) -> None:
        self._rings = 0
        self._rung = asyncio.Event()

    @property
    def rings(self) -> int:
        """How often it rang; read it before looking for work."""
        return self._rings

    def ring(self) -> None:
        """Wake everyone. Only from the event loop's thread."""
        self._rings += 1
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, heard: int, seconds: float = IDLE_SECONDS) -> None:
        """Return at the first ring after ``heard``, or after ``seconds``."""
        if self._rings == heard:
            with suppress(TimeoutError):
                # not wait_for: before Python 3.12 it swallows a cancellation that meets a ring
                async with asyncio.timeout(seconds):
                    await self._rung.wait()
