"""Leases: of several processes on one database, one pulls from a peer at a time."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlmodel import select
from structlog.testing import capture_logs
from structlog.typing import EventDict

from comity.node.database.clock import system_clock
from comity.node.database.store import Store
from comity.node.database.tables import LeaseRow, RecordRow
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.node.server.background import leases
from comity.node.server.background.leases import give_up, hold
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.network import Running, free_port, make_home, network, run, serving, until
from tests.support.replication import introduce, settled

UK, CA = "uk.aisi.example", "ca.aisi.example"


def test_a_lease_is_one_holders_until_it_ends_or_is_given_up(database: str) -> None:
    store = Store(database)
    store.upgrade()
    store.claim(UK)
    with store.write() as session:
        assert hold(session, "work", "one", 0)
        assert not hold(session, "work", "two", leases.LEASE_MS - 1)
        assert hold(session, "work", "one", 1000)
        assert not hold(session, "work", "two", leases.LEASE_MS)
        assert hold(session, "work", "two", leases.LEASE_MS + 1000)
        give_up(session, "work", "one")
        assert not hold(session, "work", "one", leases.LEASE_MS + 1000)
        give_up(session, "work", "two")
        assert hold(session, "work", "one", leases.LEASE_MS + 1000)
    store.close()


def test_of_two_processes_on_one_database_one_pulls_and_the_other_takes_over(
    tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    async def scenario() -> None:
        uk_home, ca_home = (
            make_home(tmp_path, i, database=new_postgres_database()) for i in (UK, CA)
        )
        Node(ca_home, system_clock).close()  # the mark that a twin brings along
        second_home = twin(ca_home)
        with capture_logs() as logs:
            async with serving(uk_home) as uk, serving(second_home) as second:
                async with serving(ca_home) as first:
                    await introduce(uk, first)
                    uk.node.publish(uk.sign(card()))
                    await until(lambda: settled(uk, CA), "the first receipt")
                    for _ in range(2):  # both have looked, and one was turned away
                        before = second.rows(LeaseRow)[0].expires_time
                        await until(lambda: renewed(second, before), "a renewed lease")  # noqa: B023
                    assert pulls_of_ca(logs) == 1
                uk.node.publish(uk.sign(card()))
                await until(lambda: settled(uk, CA), "the second receipt")
                assert len(second.rows(RecordRow)) == 2

    run(scenario())


def test_the_lease_of_a_process_that_died_runs_out(
    tmp_path: Path, new_postgres_database: NewDatabase
) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA, database=lambda _: new_postgres_database()) as (
            uk,
            ca,
        ):
            uk.node.publish(uk.sign(card()))
            await until(lambda: settled(uk, CA), "the first receipt")
            with ca.node.store.write() as session:
                [row] = session.exec(select(LeaseRow))
                row.holder, row.expires_time = "dead", ca.node.clock() + 1500
                session.add(row)
                session.flush()
            await until(lambda: ca.rows(LeaseRow)[0].holder != "dead", "a new holder")
            uk.node.publish(uk.sign(card()))
            await until(lambda: settled(uk, CA), "the second receipt")

    run(scenario())


def twin(home: Home) -> Home:
    """Return a home of the same institute and database, for a second process on this machine."""
    path = home.path.with_name(f"{home.path.name}-2")
    shutil.copytree(home.path, path)
    file = path / "comity.toml"
    listen = home.settings.listen
    line = f'listen = "{listen}"'
    file.write_text(file.read_text().replace(line, f'listen = "127.0.0.1:{free_port()}"'))
    return Home(path)


def renewed(one: Running, expires_time: int) -> bool:
    return any(row.expires_time > expires_time for row in one.rows(LeaseRow))


def pulls_of_ca(logs: list[EventDict]) -> int:
    return sum(entry["event"] == "pulling" and entry["peer"] == UK for entry in logs)
