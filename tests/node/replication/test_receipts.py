"""Receipts: what is sent again, stored once, and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from comity.node.database.tables import PartRow, PeerRow, ReceiptRow, RecordRow
from comity.node.replication.peer_receipts import keep_receipt
from comity.policies.preset import load_preset
from comity.record.envelope import Envelope
from comity.record.errors import BadCursor, BadReceipt, FutureCursor
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.replication import receipts

UK, CA = "uk.aisi.example", "ca.aisi.example"

OPEN = load_preset("open")


def test_lost_receipts_are_sent_again(tmp_path: Path, new_database: NewDatabase) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as (uk, ca):
        uk.publish(card())
        ca.pull(uk)
        for _ in range(2):
            uk.publish(card())
            ca.pull(uk, lose_receipts=True)
        assert len(receipts(uk, CA)) == 1
        ca.pull(uk)
        assert receipts(uk, CA) == receipts(ca, UK)
        assert len(receipts(uk, CA)) == 3


def test_a_receiver_that_starts_anew_stores_everything_once(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as (uk, ca):
        for _ in range(3):
            uk.publish(card())
            ca.pull(uk)
        with ca.node.store.write() as session:
            session.get_one(PeerRow, UK).cursor = ""
            session.flush()
        uk.publish(card())
        ca.pull(uk)
        assert len(ca.rows(RecordRow)) == 4
        assert len(ca.rows(PartRow)) == 12
        [row] = uk.rows(PeerRow)
        assert row.receipted == row.offered == 12


def test_a_batch_that_comes_twice_is_refused_and_changes_nothing(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as (uk, ca):
        uk.publish(card())
        batch = uk.offer(ca)
        assert batch is not None
        ca.node.inbox.take(UK, batch)
        with pytest.raises(BadCursor, match="expected the batch after"):
            ca.node.inbox.take(UK, batch)
        assert len(receipts(ca, UK)) == 1
        assert len(ca.held()) == 3


def test_a_receipt_must_name_the_records_that_were_offered(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as (uk, ca):
        uk.publish(card())
        batch = uk.offer(ca)
        assert batch is not None
        uk.publish(card())
        longer = uk.offer(ca)
        assert longer is not None
        too_far = replace(batch, cursor=longer.cursor)
        receipt = ca.node.inbox.take(UK, too_far).receipt
        with pytest.raises(BadReceipt, match="expected the 2 records offered, got 1"):
            keep(uk, receipt)
        assert uk.rows(ReceiptRow) == []


def test_a_receipt_for_what_was_never_offered_is_refused(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as (uk, ca):
        uk.publish(card())
        batch = uk.offer(ca)
        assert batch is not None
        receipt = ca.node.inbox.take(UK, batch).receipt
        with uk.node.store.write() as session:
            session.get_one(PeerRow, CA).offered = 2
            session.flush()
        with pytest.raises(FutureCursor, match="expected at most offer 2, got 3"):
            keep(uk, receipt)


def keep(one: Institute, receipt: Envelope) -> None:
    with one.node.store.write() as session:
        keep_receipt(session, CA, receipt, one.node.clock())
