"""Reconcile: two ledgers agree by signed receipts, or the difference is told exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from comity.node.database.tables import ReceiptRow, RecordRow
from comity.node.replication.ledger import Given, Taken, given_to, list_ledger, taken_from
from comity.node.replication.reconciliation import Account, DifferenceKind, compare_accounts
from comity.node.trust.peers import get_peer
from comity.policies.preset import load_preset
from comity.record.bundle import Keyring
from comity.record.envelope import RECEIPT_TYPE, Envelope
from comity.record.errors import BadCursor, LimitExceeded
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes

UK, CA = "uk.aisi.example", "ca.aisi.example"


@pytest.fixture
def pair(tmp_path: Path, new_database: NewDatabase) -> Iterator[list[Institute]]:
    """Yield uk and ca; uk has given ca two cards in two batches, and ca has signed."""
    policy = load_preset("open")
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=policy) as made:
        uk, ca = made
        for number in range(2):
            uk.publish(card(f"model-{number}"))
            ca.pull(uk)
        yield made


def account(giver: Institute, receiver: Institute) -> Account:
    """Compare what both say of what one gave the other."""
    return compare(giver, receiver, given(giver, receiver), taken(receiver, giver))


def compare(giver: Institute, receiver: Institute, gave: list[Given], took: list[Taken]) -> Account:
    keys = Keyring([receiver.node.bundle]).find
    return compare_accounts(giver.name, receiver.name, gave, took, keys)


def given(giver: Institute, receiver: Institute) -> list[Given]:
    with giver.node.store.read() as session:
        return list(given_to(session, receiver.name))


def taken(receiver: Institute, giver: Institute) -> list[Taken]:
    with receiver.node.store.read() as session:
        return [item for _, item in taken_from(session, giver.name)]


def findings(found: Account) -> list[DifferenceKind]:
    return [difference.kind for difference in found.differences]


def test_ledgers_agree_once_receipts_have_been_exchanged(pair: list[Institute]) -> None:
    uk, ca = pair
    found = account(uk, ca)
    assert (found.differences, found.agreed_receipts, found.agreed_records) == ((), 2, 2)
    assert len(found.receipts) == 2
    assert account(ca, uk).differences == ()


def test_an_offer_that_was_not_pulled_is_told_as_unsigned(pair: list[Institute]) -> None:
    uk, ca = pair
    record = uk.publish(card("model-2"))
    [difference] = account(uk, ca).differences
    assert difference.kind is DifferenceKind.UNSIGNED
    assert difference.record_ids == (record.record_id,)
    assert "offers 7 to 9" in difference.message


def test_a_receipt_that_was_lost_on_the_way_is_told_with_the_receipt(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    record = uk.publish(card("model-2"))
    ca.pull(uk, lose_receipts=True)
    [difference] = account(uk, ca).differences
    assert difference.kind is DifferenceKind.NOT_DELIVERED
    assert difference.record_ids == (record.record_id,)
    assert difference.receipts[0].payload == ca.rows(ReceiptRow, ours=True)[-1].payload
    ca.send_receipts(uk)
    assert account(uk, ca).differences == ()


def lose(giver: Institute, last_offer: int) -> ReceiptRow:
    """Delete the peer's receipt for offers up to one from the giver's ledger; return it."""
    row: ReceiptRow
    [row] = giver.rows(ReceiptRow, last_offer=last_offer)
    with giver.node.store.write() as session:
        session.delete(session.get_one(ReceiptRow, row.receipt_id))
    return row


def test_a_receipt_that_the_giver_has_lost_is_told_with_its_offers_and_blames_no_other(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    record = uk.publish(card("model-2"))
    ca.pull(uk)
    uk.publish(card("model-3"))
    ca.pull(uk)
    lost = lose(uk, 9)
    found = account(uk, ca)
    [difference] = found.differences
    assert difference.kind is DifferenceKind.NOT_DELIVERED
    assert difference.record_ids == (record.record_id,)
    assert difference.receipts[0].payload == lost.payload
    assert difference.message.startswith(f"{UK} has no receipt that {CA} signed at ")
    assert difference.message.endswith("offers 7 to 9")
    assert (found.agreed_receipts, found.agreed_records) == (3, 3)


def test_offers_whose_receipt_both_sides_have_lost_are_told_as_unsigned(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    lose(uk, 3)
    with ca.node.store.write() as session:
        session.delete(session.get_one(ReceiptRow, 1))
    [difference] = account(uk, ca).differences
    assert difference.kind is DifferenceKind.UNSIGNED
    assert difference.message == f"{CA} has not signed for offers 1 to 3 of {UK}"


def test_a_receiver_that_lost_its_copies_is_shown_what_it_signed(pair: list[Institute]) -> None:
    uk, ca = pair
    with ca.node.store.write() as session:
        session.delete(session.get_one(ReceiptRow, 1))
    [difference] = account(uk, ca).differences
    assert difference.kind is DifferenceKind.NOT_KEPT
    difference.receipts[0].verify(ca.node.key.key)


def test_a_record_signed_for_as_stored_and_gone_is_told(pair: list[Institute]) -> None:
    uk, ca = pair
    [first, _] = ca.rows(RecordRow)
    with ca.node.store.write() as session:
        session.get_one(RecordRow, first.record_seq).record_id = "0" * 64
        session.flush()
    [difference] = account(uk, ca).differences
    assert (difference.kind, difference.record_ids) == (DifferenceKind.NOT_HELD, (first.record_id,))


def test_a_receiver_that_started_anew_agrees_all_the_same(pair: list[Institute]) -> None:
    uk, ca = pair
    with ca.node.store.write() as session:
        get_peer(session, UK).cursor = ""
        session.flush()
    ca.pull(uk)
    assert len(taken(ca, uk)) == 3
    assert account(uk, ca).differences == ()


def test_a_forged_receipt_counts_for_nothing(pair: list[Institute]) -> None:
    uk, ca = pair
    real, other = given(uk, ca)
    assert real.receipt is not None
    altered = real.receipt.payload.replace(b'"stored"', b'"Stored"')
    forged = Envelope(RECEIPT_TYPE, altered, real.receipt.keyid, real.receipt.signature)
    found = compare(uk, ca, [replace(real, receipt=forged), other], taken(ca, uk))
    assert findings(found) == [DifferenceKind.BAD_RECEIPT, DifferenceKind.NOT_DELIVERED]
    assert found.agreed_receipts == 1


def test_a_receipt_between_others_counts_for_nothing(pair: list[Institute]) -> None:
    uk, ca = pair
    keys = Keyring([ca.node.bundle]).find
    found = compare_accounts("fr.aisi.example", CA, given(uk, ca), [], keys)
    assert set(findings(found)) == {DifferenceKind.BAD_RECEIPT, DifferenceKind.UNSIGNED}


def test_a_giver_that_tells_other_records_than_were_signed_for_is_found(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    first, second = given(uk, ca)
    claimed = tuple(sorted([*first.record_ids, "f" * 64]))
    found = compare(uk, ca, [replace(first, record_ids=claimed), second], taken(ca, uk))
    assert findings(found) == [DifferenceKind.MISMATCH]
    assert found.differences[0].record_ids == ("f" * 64,)


def test_a_giver_that_leaves_out_offers_is_found(pair: list[Institute]) -> None:
    uk, ca = pair
    found = compare(uk, ca, given(uk, ca)[1:], taken(ca, uk))
    assert findings(found) == [DifferenceKind.GAP, DifferenceKind.NOT_DELIVERED]


def test_pages_of_a_ledger_are_whole_and_concern_one_peer(pair: list[Institute]) -> None:
    uk, ca = pair
    ca.publish(card("model-3"))
    uk.pull(ca)
    uk.publish(card("model-4"))
    lose(uk, 3)
    entries: list[Given | Taken] = []
    token = ""
    with uk.node.store.read() as session:
        while True:
            page, token = list_ledger(session, CA, 1, token)
            entries += page
            if not token:
                break
        assert list_ledger(session, "fr.aisi.example", 0, "") == ([], "")
        with pytest.raises(LimitExceeded):
            list_ledger(session, CA, 51, "")
        with pytest.raises(BadCursor):
            list_ledger(session, CA, 0, "rubbish")
    shown = [
        (entry.first_offer, entry.last_offer, entry.receipt is not None)
        if isinstance(entry, Given)
        else "taken"
        for entry in entries
    ]
    assert shown == [(1, 3, False), (4, 6, True), (7, 9, False), "taken"]
