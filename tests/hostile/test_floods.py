"""Peers that send much of nothing: it is bounded what they cost, and what honest ones keep is not.

A peer here is a real gRPC server with a real certificate of a pinned institute; see ``hostile``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from comity.node.database.tables import ReceiptRow, RecordRow, SecondedRow
from comity.node.replication import own_receipts
from comity.node.replication.ledger import given_to, taken_from
from comity.node.replication.reconciliation import Account, compare_accounts
from comity.node.server.background import pull
from comity.node.trust.peers import get_peer
from comity.policies.preset import load_preset
from comity.record.bundle import Keyring
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.lying_peer import ACCEPTED, CUT, HEARTBEAT, Said, batch, deceived, saying
from tests.support.network import run, until


def test_what_is_sent_again_for_ever_is_cut_off_and_leaves_few_receipts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "MAX_IDLE_IN_A_ROW", 30)
    monkeypatch.setattr(own_receipts, "MAX_IDLE_RECEIPTS", 10)
    sent = count()

    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            known = ca.sign(card())
            ca.script = saying(ACCEPTED, batch(known, cursor="start"), CUT)
            await until(lambda: ca.row.cursor == "start", "one good record")

            def for_ever(cursor: str) -> Iterator[Said]:
                yield ACCEPTED
                for number in sent:
                    yield batch(known, after=cursor, cursor=f"c{number}")
                    cursor = f"c{number}"

            ca.script = for_ever
            await until(lambda: ca.row.last_error.startswith("FLOODED"), "the end of patience")
            first = len(ca.streams)
            await until(lambda: len(ca.streams) > first + 1, "two more streams")
            assert len(uk.rows(ReceiptRow, ours=True)) <= 1 + 10
            assert uk.rows(ReceiptRow, ours=True, cursor="start")
            # it goes on where it was
            assert ca.streams[-1].cursor != "start"

    run(scenario())


def test_heartbeats_without_end_are_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "MAX_EARLY_BEATS", 5)

    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            record = ca.sign(card())
            ca.script = saying(ACCEPTED, *[HEARTBEAT] * 1000, batch(record))
            await until(lambda: ca.row.last_error.startswith("FLOODED"), "the end of patience")
            assert uk.rows(RecordRow) == []
            ca.script = saying(ACCEPTED, *[HEARTBEAT] * 5, batch(record))
            await until(lambda: uk.rows(RecordRow), "what comes after a few")

    run(scenario())


@pytest.fixture
def clock() -> HandClock:
    """Return the clock of the three."""
    return HandClock()


@pytest.fixture
def three(tmp_path: Path, new_database: NewDatabase, clock: HandClock) -> Iterator[list[Institute]]:
    """Yield uk, ca and jp, who are all each other's peers."""
    names = ("uk.aisi.example", "ca.aisi.example", "jp.aisi.example")
    policy = load_preset("open")
    with institutes(tmp_path, clock, new_database, *names, policy=policy) as made:
        yield made


def account(giver: Institute, receiver: Institute) -> Account:
    """Compare what both say of what one gave the other."""
    with giver.node.store.read() as session:
        given = list(given_to(session, receiver.name))
    with receiver.node.store.read() as session:
        taken = [item for _, item in taken_from(session, giver.name)]
    keys = Keyring([receiver.node.bundle]).find
    return compare_accounts(giver.name, receiver.name, given, taken, keys)


def start_anew(receiver: Institute, sender: Institute, clock: HandClock) -> None:
    """Let a receiver forget where it was, and take everything again, a second later."""
    clock.turn(1)
    with receiver.node.store.write() as session:
        get_peer(session, sender.name).cursor = ""
        session.flush()
    receiver.pull(sender)


def test_every_receipt_of_a_relay_is_kept_and_none_for_what_it_sends_again(
    three: list[Institute], clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_receipts, "MAX_IDLE_RECEIPTS", 1)
    uk, ca, jp = three
    for number in range(4):
        uk.publish(card(f"model-{number}", handling={"onward": True}))
        for receiver, sender in ((jp, uk), (ca, uk)):
            receiver.pull(sender)
        ca.node.release()
        jp.pull(ca)
    assert len(jp.rows(SecondedRow, peer=ca.name)) == 4
    assert len(jp.rows(ReceiptRow, ours=True, peer=ca.name)) == 4
    for _ in range(3):
        start_anew(jp, ca, clock)
        start_anew(jp, uk, clock)
    assert len(jp.rows(ReceiptRow, ours=True, idle=False)) == 8
    assert len(jp.rows(ReceiptRow, ours=True, idle=True)) == 2
    assert account(ca, jp).differences == account(uk, jp).differences == ()


def test_a_section_that_comes_later_is_news(three: list[Institute], clock: HandClock) -> None:
    uk, ca, _ = three
    uk.publish(card(section_handling={"risks": {"embargo": clock.in_seconds(60)}}))
    ca.pull(uk)
    clock.turn(61)
    uk.node.release()
    assert ca.pull(uk) == 1
    assert [row.idle for row in ca.rows(ReceiptRow, ours=True)] == [False, False]


def test_a_copy_that_other_copies_cover_is_not_missed(
    three: list[Institute], clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_receipts, "MAX_IDLE_RECEIPTS", 1)
    uk, ca, _ = three
    uk.publish(card("one"))
    ca.pull(uk)
    # the giver was restored: it has no receipts, and takes those for what is sent again
    with uk.node.store.write() as session:
        for row in uk.rows(ReceiptRow):
            session.delete(session.get_one(ReceiptRow, row.receipt_id))
        get_peer(session, ca.name).receipted = 0
        session.flush()
    start_anew(ca, uk, clock)
    assert account(uk, ca).agreed_records == 1
    uk.publish(card("two"))
    ca.pull(uk)
    start_anew(ca, uk, clock)
    start_anew(ca, uk, clock)
    [held] = [row for row in uk.rows(ReceiptRow) if row.last_offer == 3]
    assert held.payload not in {row.payload for row in ca.rows(ReceiptRow, ours=True)}
    found = account(uk, ca)
    assert (found.differences, found.agreed_records) == ((), 2)
