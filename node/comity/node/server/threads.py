"""Blocking work on worker threads, apart for each kind of caller.

    node        background work: pulling, releasing, signing
    admission   finding out who calls
    operators   calls of this institute's operators, publishing among them
    peers       calls of peers' nodes and auditors
    people      calls of this institute's analysts and auditors
    search      searches, whose statements may take long

Invariants: no caller can hold more than THREADS_EACH threads, nor keep another kind of caller from
its threads; a caller leaves only after its work has ended, even when it is cancelled, so nothing
still runs on a database that is being closed, and a batch that is being taken is finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

THREADS_EACH: Final = 2
"""Threads that one caller can hold at a time; its other work waits for them."""


def _pool(name: str, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=name)


# together fewer than ``database.store.MAX_DATABASE_CONNECTIONS``, so that none waits for another
NODE_THREADS: Final = _pool("node", 6)
ADMISSION_THREADS: Final = _pool("admission", 2)
OPERATOR_THREADS: Final = _pool("operators", 4)
PEER_THREADS: Final = _pool("peers", 6)
PEOPLE_THREADS: Final = _pool("people", 4)
SEARCH_THREADS: Final = _pool("search", 4)


@dataclass(frozen=True)
class ThreadShare:
    """A caller's share of the threads of a pool."""

    pool: ThreadPoolExecutor
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(THREADS_EACH))


THREAD_SHARE: ContextVar[ThreadShare | None] = ContextVar("thread_share", default=None)
"""The share of the caller that is being served; None for the node's own background work."""


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking work on a thread of the caller's share; see the module."""
    share = THREAD_SHARE.get()
    if share is None:
        return await in_pool(NODE_THREADS, function, *args, **kwargs)
    async with share.turns:
        return await in_pool(share.pool, function, *args, **kwargs)


async def in_thread_until(
    stop: Callable[[], None], function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run blocking work as ``in_thread`` does, and call ``stop`` if the caller is cancelled.

    ``stop`` must make the work end soon; it is called on the event loop's thread.
    """
    work = asyncio.ensure_future(in_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop()
        work.cancel()
        await asyncio.wait([work])
        raise


async def in_pool(
    pool: ThreadPoolExecutor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run blocking work on a thread of a certain pool.

    A caller that is cancelled leaves only when the work has ended.
    """
    loop, context = asyncio.get_running_loop(), copy_context()
    work = loop.run_in_executor(pool, lambda: context.run(function, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        # the caller is gone: nobody wants the result any more, nor the error
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()
        raise
