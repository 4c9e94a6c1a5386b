"""A node waits for what happens instead of looking again and again, and acts on it at once."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from comity.node.database.store import Store
from comity.node.database.tables import LeaseRow, PeerRow, ReleaseRow
from comity.node.server import wakeup
from comity.node.server.background import workers
from comity.node.server.background.contact import Contact
from comity.node.server.background.pull import Pull
from comity.node.server.wakeup import Bell
from comity.policies.preset import load_preset
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock
from tests.support.network import command, make_home, network, run, serving, until
from tests.support.replication import publish_card, settled

UK, CA = "uk.aisi.example", "ca.aisi.example"


@pytest.fixture
def no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be looked at again without a cause."""
    monkeypatch.setattr(workers, "IDLE_SECONDS", 86_400)
    monkeypatch.setattr(wakeup, "IDLE_SECONDS", 86_400)


def test_a_node_on_which_nothing_happens_leaves_its_database_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connects = 0
    at_heartbeats: list[int] = []
    connect, goes_on = Store._connect, Contact.goes_on

    def counted_connect(store: Store, **options: object) -> object:
        nonlocal connects
        connects += 1
        return connect(store, **options)

    async def counted_heartbeat(contact: Contact) -> None:
        at_heartbeats.append(connects)
        await goes_on(contact)

    monkeypatch.setattr(Store, "_connect", counted_connect)
    monkeypatch.setattr(Contact, "goes_on", counted_heartbeat)

    def quiet() -> bool:
        # of two streams, four heartbeats each
        return len(at_heartbeats) >= 8 and len(set(at_heartbeats[-8:])) == 1

    async def scenario() -> None:
        async with network(tmp_path, UK, CA):
            await until(quiet, "heartbeats without a look at the database")

    run(scenario())


def test_a_command_of_an_operator_is_acted_on_at_once(
    tmp_path: Path, new_database: NewDatabase, no_second_look: None
) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA, database=lambda _: new_database()) as (uk, ca):
            publish_card(uk)
            await until(lambda: settled(uk, CA), "all receipts")
            code, _, err = await command(uk, "peers", "set", CA, "--status", "suspended")
            assert (code, err) == (0, "")
            await until(
                lambda: ca.rows(PeerRow)[0].last_error.startswith("FORBIDDEN"), "the stream's end"
            )
            code, _, err = await command(uk, "peers", "set", CA, "--status", "member")
            assert (code, err) == (0, "")
            publish_card(uk)
            await until(lambda: settled(uk, CA), "all receipts")

    run(scenario())


def test_an_embargo_ends_for_a_node_that_waits_and_whose_clock_is_set(
    tmp_path: Path, clock: HandClock, no_second_look: None
) -> None:
    async def scenario() -> None:
        async with serving(make_home(tmp_path, UK), clock) as uk:
            uk.node.add_peer(make_home(tmp_path, CA).bundle())
            uk.node.set_policy(load_preset("open"))
            uk.node.publish(uk.sign(card(handling={"embargo": clock.in_seconds(3600)})))
            assert uk.rows(ReleaseRow) == []
            clock.turn(3601)
            await until(lambda: uk.rows(ReleaseRow, peer=CA), "the release")

    run(scenario())


def test_renewing_a_lease_wakes_nobody(
    tmp_path: Path, new_postgres_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def for_ever(_: Pull) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(workers, "LEASE_SECONDS", 0.1)
    monkeypatch.setattr(Pull, "run", for_ever)

    async def scenario() -> None:
        home = make_home(tmp_path, UK, database=new_postgres_database())
        async with serving(home) as uk:
            uk.node.add_peer(make_home(tmp_path, CA).bundle())

            def renewed_after(time: int) -> int:
                return sum(row.expires_time for row in uk.rows(LeaseRow) if row.expires_time > time)

            # the node may have begun with work of its own
            commits, lease = -1, 0
            while uk.node.store.commits() != commits:
                commits = uk.node.store.commits()
                for _ in range(3):
                    lease = await until(partial(renewed_after, lease), "a renewal")

    run(scenario())


def test_a_branch_of_a_bell_rings_with_it_and_alone_for_nobody_else() -> None:
    async def scenario() -> None:
        bell = Bell()
        branch, other = bell.branch(), bell.branch()
        waiting = asyncio.create_task(branch.wait(0))
        bell.ring()
        await waiting
        branch.ring()
        assert (bell.rings, branch.rings, other.rings) == (1, 2, 1)

    run(scenario())
