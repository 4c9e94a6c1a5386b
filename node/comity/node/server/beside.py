"""Work that runs beside a context and ends with it.

Invariant: work that failed is never forgotten; its error is raised where the context ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run ``work`` while the context is open, then cancel it and wait for its end.

    A TaskGroup would wrap every error of the body in an ExceptionGroup; here they stay as they are.
    """
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
