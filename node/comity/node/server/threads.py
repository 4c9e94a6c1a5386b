"""Blocking work on worker threads.

Invariant: whoever waits for such work has waited for all of it, even when cancelled, so that
nothing still runs on a database that is being closed, and a batch that is being taken is finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """As ``asyncio.to_thread``, except that a cancelled caller leaves only when it has ended."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        # the caller is gone: what came of the work, good or bad, is nobody's any more
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()
        raise
