"""A bell that wakes background work after a commit of this process or of another.

Invariant: no ring is missed between a look and a wait. Other processes on the same database cannot
ring; ``background.ringing`` watches for their commits and rings for them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final
from weakref import WeakSet

IDLE_SECONDS: Final = 300.0
"""The longest wait: then a waiter looks again even if nothing rang."""


class Bell:
    """Counts rings; a waiter says which ring it heard last."""

    def __init__(self) -> None:
        self._rings = 0
        self._rung = asyncio.Event()
        self._branches: WeakSet[Bell] = WeakSet()

    @property
    def rings(self) -> int:
        """The number of rings so far; read it before looking for work."""
        return self._rings

    def branch(self) -> Bell:
        """Return a bell that rings with this one, and can be rung alone for one waiter."""
        bell = Bell()
        self._branches.add(bell)
        return bell

    def ring(self) -> None:
        """Wake all waiters. To be called on the event loop's thread only."""
        self._rings += 1
        self._rung.set()
        self._rung = asyncio.Event()
        for branch in list(self._branches):
            branch.ring()

    async def wait(self, heard: int, seconds: float = IDLE_SECONDS) -> None:
        """Return at the first ring after ``heard``, or after ``seconds``."""
        if self._rings == heard:
            with suppress(TimeoutError):
                # not wait_for: before Python 3.12 it swallows a cancellation that meets a ring
                async with asyncio.timeout(seconds):
                    await self._rung.wait()
