"""A watch tells of commits, whichever connection made them, and of nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, closing

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from comity.node.database import commit_watch
from comity.node.database.commit_watch import watch_commits
from comity.node.database.store import Store
from tests.support.databases import NewDatabase
from tests.support.network import PATIENCE_SECONDS, run


def opened(url: str) -> Store:
    store = Store(url)
    store.upgrade()
    store.claim("uk.aisi.example")
    return store


def commit(store: Store, *, counted: bool = True) -> None:
    with store.write(counted=counted):
        pass


async def next_number(commits: AsyncGenerator[int]) -> int:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await anext(commits)


def watching(url: str, test: Callable[[Store, AsyncGenerator[int]], Awaitable[None]]) -> None:
    """Run a test with a watch on a database, and another store that commits."""

    async def scenario() -> None:
        with closing(opened(url)) as own, closing(Store(url)) as other:
            async with aclosing(watch_commits(own)) as commits:
                await test(other, commits)

    run(scenario())


def test_a_commit_of_another_store_is_told(new_database: NewDatabase) -> None:
    async def test(other: Store, commits: AsyncGenerator[int]) -> None:
        assert await next_number(commits) == 0
        for number in (1, 2):
            commit(other)
            assert await next_number(commits) == number

    watching(new_database(), test)


def test_commits_that_come_together_are_told_together(new_database: NewDatabase) -> None:
    async def test(other: Store, commits: AsyncGenerator[int]) -> None:
        assert await next_number(commits) == 0
        for _ in range(5):
            commit(other)
        assert await next_number(commits) == 5

    watching(new_database(), test)


def test_a_commit_that_is_not_counted_is_not_told(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_watch, "LOOK_SECONDS", 0.01)

    async def test(other: Store, commits: AsyncGenerator[int]) -> None:
        assert await next_number(commits) == 0
        hearing = asyncio.create_task(next_number(commits))
        for _ in range(5):
            await asyncio.to_thread(commit, other, counted=False)
        assert not hearing.done()
        commit(other)
        assert await hearing == 1

    watching(new_database(), test)


def test_what_is_committed_while_the_connection_is_lost_is_told_by_the_next_watch(
    new_postgres_database: NewDatabase,
) -> None:
    url = new_postgres_database()

    async def test(other: Store, commits: AsyncGenerator[int]) -> None:
        assert await next_number(commits) == 0
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as operator:
            listening = "query LIKE 'SELECT commits%' AND datname = current_database()"
            ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {listening}"
            assert operator.execute(ended).fetchall()
        with pytest.raises(OperationalError):
            await next_number(commits)
        commit(other)
        async with aclosing(watch_commits(other)) as anew:
            assert await next_number(anew) == 1

    watching(url, test)
