"""Relays: a record reaches C through B where its issuer A allows that, and only there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise, permutations
from pathlib import Path

from comity.client.drafts.draft import Draft
from comity.node.database.tables import PartRow, PeerRow, QuarantineRow, RecordRow
from comity.node.node import Node
from comity.node.policy.standing.rule import load_standing
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from comity.record.kind import Kind
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.network import Running, befriend, make_home, run, serving, until

UK, CA, JP, KE = "uk.aisi.example", "ca.aisi.example", "jp.aisi.example", "ke.aisi.example"
OPEN = load_preset("open")


@asynccontextmanager
async def chain(root: Path, new_database: NewDatabase) -> AsyncIterator[list[Running]]:
    """Serve uk, ca and jp, where uk and ca are peers, ca and jp are, and jp has pinned uk."""
    async with AsyncExitStack() as stack:
        homes = [make_home(root, name, database=new_database()) for name in (UK, CA, JP)]
        uk, ca, jp = [await stack.enter_async_context(serving(home)) for home in homes]
        befriend(uk, ca)
        befriend(ca, uk, jp)
        befriend(jp, ca, uk)
        for one in (uk, ca, jp):
            one.node.set_policy(OPEN)
        yield [uk, ca, jp]


def onward(**more: object) -> Draft:
    """Return a card that may be passed on."""
    return card(handling={"onward": True}, **more)  # type: ignore[arg-type]


def relay(*way: Institute) -> None:
    """Let each institute pull from the one before it."""
    for sender, receiver in pairwise(way):
        receiver.pull(sender)
        receiver.node.release()


def test_a_record_reaches_c_through_b_only_if_it_may_be_passed_on(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    async def scenario() -> None:
        async with chain(tmp_path, new_database) as (uk, ca, jp):
            kept, passed = uk.sign(card("kept")), uk.sign(onward(name="passed"))
            uk.node.publish_all([kept, passed])
            await until(lambda: jp.rows(RecordRow), "the card at jp")
            await until(lambda: ca.rows(PeerRow, institute=JP, receipted=3), "jp's receipt")
            [row] = jp.rows(RecordRow)
            assert (row.record_id, row.issuer, row.origin) == (passed.record_id, UK, CA)
            assert row.payload == passed.envelope.payload
            assert len(ca.rows(RecordRow)) == 2
            assert jp.rows(QuarantineRow) == []

    run(scenario())


def test_a_section_that_may_not_be_passed_on_stays_with_b(trio: list[Institute]) -> None:
    uk, ca, jp = trio
    uk.node.set_peer_status(JP, PeerStatus.SUSPENDED)
    record = uk.publish(onward(section_handling={"risks": {"onward": False}}))
    relay(uk, ca, jp)
    assert jp.held() == {(record.record_id, ""), (record.record_id, "limitations")}
    assert jp.rows(QuarantineRow) == []


def test_b_cannot_pass_on_what_the_issuer_does_not_allow(trio: list[Institute]) -> None:
    uk, ca, jp = trio
    uk.node.set_peer_status(JP, PeerStatus.SUSPENDED)
    uk.publish(card())
    ca.node.set_policy("""@id("everything") permit (principal, action, resource);""")
    relay(uk, ca, jp)
    assert jp.held() == set()


def test_a_record_that_comes_by_two_ways_is_stored_once(trio: list[Institute]) -> None:
    uk, ca, jp = trio
    uk.publish(onward())
    relay(uk, ca)
    relay(ca, jp)
    assert jp.pull(uk) == 1
    assert len(jp.rows(RecordRow)) == 1
    assert len(jp.rows(PartRow)) == 3
    assert jp.rows(QuarantineRow) == []


def test_sections_that_come_by_different_ways_complete_a_record(trio: list[Institute]) -> None:
    uk, ca, jp = trio
    uk.node.set_policy(f"""
        @id("all") permit (principal, action, resource);
        @id("no-risks-for-jp") forbid (principal, action, resource)
        when {{ principal.institute == "{JP}" && resource.section == "risks" }};
    """)
    record = uk.publish(onward())
    relay(uk, jp)
    assert (record.record_id, "risks") not in jp.held()
    relay(uk, ca, jp)
    assert {name for _, name in jp.held()} == {"", "limitations", "risks"}
    assert {part.name: part.origin for part in jp.rows(PartRow)}["risks"] == CA
    assert len(jp.rows(RecordRow)) == 1


def test_a_record_in_a_ring_comes_to_rest(tmp_path: Path, new_database: NewDatabase) -> None:
    names = (UK, CA, JP, KE)
    with institutes(tmp_path, HandClock(), new_database, *names, policy=OPEN) as made:
        for one in made:
            one.publish(onward())
        for _ in range(3):
            for receiver, sender in permutations(made, 2):
                receiver.pull(sender)
                receiver.node.release()
        assert all(len(one.rows(RecordRow)) == 4 for one in made)
        assert all(receiver.pull(sender) == 0 for receiver, sender in permutations(made, 2))
        assert all(one.rows(QuarantineRow) == [] for one in made)


def test_a_relayed_record_counts_for_its_issuer_and_not_for_the_relay(
    trio: list[Institute],
) -> None:
    uk, ca, jp = trio
    uk.node.set_peer_status(JP, PeerStatus.SUSPENDED)
    uk.publish(onward())
    relay(uk, ca, jp)
    assert standing(jp.node) == {UK: (1, 0)}
    assert standing(ca.node) == {UK: (1, 0)}


def standing(node: Node) -> dict[str, tuple[int, int]]:
    """Return (received, given) model cards by peer, where there is any."""
    with node.store.read() as session:
        return {
            peer: (counts.received.get(Kind.MODEL_CARD, 0), counts.given.get(Kind.MODEL_CARD, 0))
            for peer in (UK, CA, JP)
            if (counts := load_standing(session, peer)).received or counts.given
        }
