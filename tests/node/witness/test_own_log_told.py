"""What peers tell a node of its own log: it may have been restored, and then signs nothing more."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519

from comity.node.database.tables import CheckpointRow, LogHeadRow
from comity.node.log.proofs import newest_checkpoint
from comity.node.witness.gossip import take_shared_checkpoints
from comity.node.witness.halting import resume_signing
from comity.record.note import LOG_KEY, NoteSigner
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.log_histories import History
from tests.support.witnesses import CA, FR, TRUE, UK, history, reasons


def signed(one: Institute, count: int) -> None:
    """Publish cards and sign the log."""
    for _ in range(count):
        one.publish(card())
    one.node.signer.sign()


def own_note(one: Institute) -> bytes:
    with one.node.store.read() as session:
        return newest_checkpoint(session).note


def test_a_log_that_peers_know_to_be_longer_signs_nothing_more(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA) as (uk, _):
        signed(uk, 2)
        take_shared_checkpoints(uk.node, CA, [own_note(uk), history(uk).note(7).to_bytes()])
        assert reasons(uk, UK) == ["LOG_ROLLED_BACK"]
        uk.publish(card())
        assert not uk.node.signer.sign()
        assert [row.size for row in uk.rows(CheckpointRow)] == [2]
        with uk.node.store.write() as session:
            resume_signing(session, UK)
        assert uk.node.signer.sign()
        assert reasons(uk, UK) == []


def test_a_log_that_was_resumed_is_not_halted_again_by_what_peers_told_before(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, FR) as (uk, _, _):
        signed(uk, 2)
        former = [history(uk).note(size).to_bytes() for size in (7, 8)]
        take_shared_checkpoints(uk.node, CA, former[:1])
        take_shared_checkpoints(uk.node, FR, former[1:])
        with uk.node.store.write() as session:
            resume_signing(session, UK)
        take_shared_checkpoints(uk.node, CA, former)
        signed(uk, 1)
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
