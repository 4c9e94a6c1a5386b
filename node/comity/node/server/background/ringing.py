"""Rings for what other processes commit, and for clocks that are set.

Background work waits for the bell, or for a time that it knows to come. Invariant: whatever changes
that, other than the passing of time, rings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final

from comity.node.database.clock import Clock
from comity.node.database.commit_watch import watch_commits
from comity.node.database.store import Store
from comity.node.server.background.lasting_failures import LastingFailures
from comity.node.server.wakeup import Bell

FAILED_SECONDS: Final = 1.0
"""The pause after work has failed."""

CLOCK_SECONDS: Final = 2.0
"""How late it is noticed that the clock was set."""

SET_MS: Final = 1000
"""How far the clock may drift away from the machine's uptime before it counts as set."""


async def ring_for_commits(store: Store, bell: Bell, failures: LastingFailures) -> None:
    """Ring at first, and after each commit of any process, until cancelled."""
    while True:
        with failures.told("cannot look for commits"):
            async with aclosing(watch_commits(store)) as commits:
                async for _ in commits:
                    bell.ring()
        await asyncio.sleep(FAILED_SECONDS)


async def ring_for_clock(clock: Clock, bell: Bell) -> None:
    """Ring whenever the clock was set, or the machine had slept, until cancelled."""
    seen = clock() - time.monotonic() * 1000
    while True:
        await asyncio.sleep(CLOCK_SECONDS)
        offset = clock() - time.monotonic() * 1000
        if abs(offset - seen) > SET_MS:
            seen = offset
            bell.ring()


async def repeat(
    bell: Bell,
    failures: LastingFailures,
    failure: str,
    work: Callable[[], Awaitable[float]],
    pause: float,
) -> None:
    """Do ``work`` at first, after each ring, and when the seconds are over that it returned.

    Between the end of one turn and the begin of the next are at least ``pause`` seconds, in which
    changes gather. Work that failed is logged as ``failure``, and done again after FAILED_SECONDS.
    """
    while True:
        heard, wait = bell.rings, FAILED_SECONDS
        with failures.told(failure):
            wait = await work()
        await asyncio.sleep(pause)
        await bell.wait(heard, max(wait - pause, 0))
