"""What peers tell a node of its own log: it may have been restored, and then signs nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from comity.node.database.tables import (
    CheckpointRow,
    ClosedLogRow,
    LogEntryRow,
    LogHeadRow,
    RecordRow,
)
from comity.node.log.proofs import newest_checkpoint
from comity.node.trust.new_log import make_new_log
from comity.node.witness.gossip import take_shared_checkpoints
from comity.record.checkpoint import Checkpoint
from comity.record.errors import Conflict, LogHalted
from comity.record.note import LOG_KEY, Note, NoteSigner
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.log_histories import History
from tests.support.witnesses import CA, FR, TRUE, UK, history, reasons, with_new_log


def signed(one: Institute, count: int) -> None:
    """Publish cards and sign the log."""
    for _ in range(count):
        one.publish(card())
    one.node.signer.sign()


def own_note(one: Institute) -> bytes:
    with one.node.store.read() as session:
        return newest_checkpoint(session).note


def test_a_log_that_peers_know_to_be_longer_signs_nothing_more_and_takes_no_record(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA) as (uk, _):
        signed(uk, 2)
        take_shared_checkpoints(uk.node, CA, [own_note(uk), history(uk).note(7).to_bytes()])
        assert reasons(uk, UK) == ["LOG_ROLLED_BACK"]
        with pytest.raises(LogHalted, match="holds our checkpoint of 7 leaves, and our log has 2"):
            uk.publish(card())
        assert (len(uk.rows(RecordRow)), len(uk.rows(LogEntryRow))) == (2, 2)
        assert not uk.node.signer.sign()
        assert [row.size for row in uk.rows(CheckpointRow)] == [2]


def test_a_new_log_begins_with_the_entries_that_are_left_and_takes_records_again(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    clock = HandClock()
    with institutes(tmp_path, clock, new_database, UK, CA) as (uk, _):
        signed(uk, 2)
        last = own_note(uk)
        take_shared_checkpoints(uk.node, CA, [history(uk).note(7).to_bytes()])
        with_new_log(uk)
        signed(uk, 1)
        checkpoint = Checkpoint.parse(Note.parse(own_note(uk)).text)
        assert (checkpoint.origin, checkpoint.size) == (f"log{clock.time:%Y%m%d%H%M%S}.{UK}", 3)
        [closed] = uk.rows(ClosedLogRow)
        assert (closed.log_number, closed.size, closed.note) == (0, 2, last)
        assert (closed.told_size, "7 leaves" in closed.halted) == (7, True)
        assert reasons(uk, UK) == []


def test_a_log_that_is_sound_is_not_replaced(three: list[Institute]) -> None:
    uk = three[0]
    signed(uk, 1)
    with pytest.raises(Conflict, match="not halted"):
        make_new_log(uk.node)
    assert len(uk.node.own.keychain.log) == 1


def test_what_peers_hold_of_a_closed_log_does_not_halt_the_new_one(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, FR) as (uk, _, _):
        signed(uk, 2)
        former = history(uk)
        take_shared_checkpoints(uk.node, CA, [former.note(7).to_bytes()])
        with_new_log(uk)
        signed(uk, 1)
        take_shared_checkpoints(uk.node, FR, [former.note(9).to_bytes()])
        assert reasons(uk, UK) == []
        assert [row.size for row in uk.rows(LogHeadRow)] == [3]
        take_shared_checkpoints(uk.node, CA, [history(uk).note(9).to_bytes()])
        assert reasons(uk, UK) == ["LOG_ROLLED_BACK"]


def test_a_log_that_grew_again_after_it_was_restored_is_found_by_its_old_checkpoint(
    three: list[Institute],
) -> None:
    uk = three[0]
    signed(uk, 3)
    take_shared_checkpoints(uk.node, CA, [history(uk).note(2).to_bytes()])
    assert reasons(uk, UK) == ["LOG_INCONSISTENT"]


def test_our_own_true_checkpoints_are_no_news(three: list[Institute]) -> None:
    uk = three[0]
    signed(uk, 1)
    first = own_note(uk)
    signed(uk, 2)
    take_shared_checkpoints(uk.node, CA, [first, own_note(uk)])
    assert reasons(uk, UK) == []
    assert [row.halted for row in uk.rows(LogHeadRow)] == [""]


def test_nobody_halts_our_log_without_our_key(three: list[Institute]) -> None:
    uk = three[0]
    signed(uk, 1)
    forger = NoteSigner(f"log.{UK}", LOG_KEY, ed25519.Ed25519PrivateKey.generate())
    take_shared_checkpoints(uk.node, CA, [History(forger, TRUE).note(9).to_bytes()])
    assert reasons(uk, UK) == []
