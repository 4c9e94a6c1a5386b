"""Watches for commits of every process on a database, at next to no cost while there are none.

    SQLite        PRAGMA data_version on a kept connection: a number in shared memory that differs
                  after each commit of another connection
    PostgreSQL    LISTEN on a kept connection, for what ``Store.write`` notifies

Invariants: no counted commit is missed, also not one that was made before the watch began or while
its connection was lost; commits that come together are told together.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from typing import Final

import psycopg
from sqlalchemy.exc import OperationalError

from comity.node.database.store import COMMITS_CHANNEL, Store

LOOK_SECONDS: Final = 0.5
"""How late a commit of another process is noticed, and the shortest time between two tellings."""

CHECK_SECONDS: Final = 60.0
"""How late a connection to PostgreSQL counts as lost that is silent without having ended."""

_COMMITS: Final = "SELECT commits FROM node"


async def watch_commits(store: Store) -> AsyncGenerator[int]:
    """Yield the number of counted commits, at once and after each change.

    Raises:
        OperationalError: the database cannot be reached. A new watch tells what was missed.
    """
    file = store.file
    numbers = _on_server(store) if file is None else _in_file(file.absolute().as_uri())
    told = -1
    try:
        async for number in numbers:
            if number != told:
                told = number
                yield number
                await asyncio.sleep(LOOK_SECONDS)
    except (sqlite3.OperationalError, psycopg.OperationalError) as error:
        raise OperationalError(_COMMITS, {}, error) from error
    finally:
        await numbers.aclose()


async def _in_file(address: str) -> AsyncGenerator[int]:
    # on the event loop's thread, since a look takes some microseconds; a reader waits for another
    # connection only while that recovers the file after a crash
    with closing(sqlite3.connect(f"{address}?mode=rw", uri=True, timeout=1)) as db:
        seen = None
        while True:
            [version] = db.execute("PRAGMA data_version").fetchone()
            if version != seen:
                [number] = db.execute(_COMMITS).fetchone()
                seen = version
                yield number
            await asyncio.sleep(LOOK_SECONDS)


async def _on_server(store: Store) -> AsyncGenerator[int]:
    url = store.engine.url
    _, parameters = store.engine.dialect.create_connect_args(url)
    db = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
    try:
        await db.execute(f"LISTEN {COMMITS_CHANNEL}")
        while True:
            # read after LISTEN has begun, so that no commit falls in between
            row = await (await db.execute(_COMMITS)).fetchone()
            if row is not None:
                yield row[0]
            async for _ in db.notifies(timeout=CHECK_SECONDS, stop_after=1):
                pass
    finally:
        # at once: the connection's own context would wait for an answer before it closes
        await db.close()
