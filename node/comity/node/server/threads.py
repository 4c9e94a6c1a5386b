"""Blocking work on worker threads.

Invariant: a caller leaves only after its work has ended, even when it is cancelled. So nothing
still runs on a database that is being closed, and a batch that is being taken is finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run as ``asyncio.to_thread`` does, but let a cancelled caller go only when the work ended."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        # the caller is gone: nobody wants the result any more, nor the error
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()
        raise
