"""Revoked record keys at the door: what was logged before is taken, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from comity.node.database.tables import InclusionRow, QuarantineRow, RecordRow
from comity.node.home.key_files import KeyUse
from comity.node.log.proofs import prove_inclusion
from comity.node.replication import outbox
from comity.node.replication.batches import Batch
from comity.node.replication.peer_receipts import keep_receipt
from comity.node.server.services.exchange_messages import batch_to_proto
from comity.policies.preset import load_preset
from comity.record.errors import RevokedKey
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.tlog_proof import TlogProof
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.root_signers import RootSigners, chain, pin_root

UK, CA, JP = "uk.aisi.example", "ca.aisi.example", "jp.aisi.example"
OPEN = load_preset("open")


@pytest.fixture
def pair(tmp_path: Path, new_database: NewDatabase) -> Iterator[list[Institute]]:
    """Return uk and ca; each has pinned the other's bundle."""
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as made:
        yield made


def revoked(of: Institute, root_signers: RootSigners) -> tuple[Record, SigningKey]:
    """Publish a record, then revoke its key from the next leaf on; return it and the key."""
    record, key = of.publish(card("old", handling={"onward": True})), of.node.key
    of.node.signer.sign()
    with of.node.store.read() as session:
        index = prove_inclusion(session, record.record_id).index
    root_signers.rotate(of.node, KeyUse.RECORD)
    root_signers.revoke(of.node, KeyUse.RECORD, key.key.keyid, index + 1)
    of.node.signer.sign()
    return record, key


def test_who_comes_late_takes_what_a_revoked_key_had_logged_before(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, JP, policy=OPEN) as (uk, ca, jp):
        root_signers = pin_root(ca, uk)
        record, _ = revoked(uk, root_signers)
        ca.node.follow(UK, chain(uk))
        ca.pull(uk)
        assert ca.rows(QuarantineRow) == []
        assert [row.record_id for row in ca.rows(InclusionRow)] == [record.record_id]
        # and hands the proof on with the record
        assert uk.node.own.root is not None
        jp.node.add_peer(uk.node.own.root)
        ca.node.release()
        jp.pull(ca)
        assert [row.record_id for row in jp.rows(RecordRow)] == [record.record_id]
        assert jp.rows(QuarantineRow) == []


def test_what_a_relay_adds_to_a_proof_is_not_handed_on(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, JP, policy=OPEN) as (uk, ca, jp):
        root_signers = pin_root(ca, uk)
        revoked(uk, root_signers)
        ca.node.follow(UK, chain(uk))
        batch = uk.offer(ca)
        assert batch is not None
        padded = []
        for record in batch.records:
            proof = replace(TlogProof.parse(record.inclusion), extra=bytes(300_000))
            padded.append(replace(record, inclusion=proof.to_bytes()))
        assert ca.node.inbox.take(UK, replace(batch, records=tuple(padded))).new == 1
        ca.node.release()
        passed_on = ca.offer(jp)
        assert passed_on is not None
        assert batch_to_proto(passed_on).ByteSize() < 10_000


def test_proofs_leave_a_batch_within_a_message(
    pair: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, ca = pair
    root_signers = pin_root(ca, uk)
    for number in range(3):
        uk.publish(card(f"older {number}"))
    revoked(uk, root_signers)
    ca.node.follow(UK, chain(uk))
    monkeypatch.setattr(outbox, "PROOF_BYTES", 1000)
    assert ca.pull(uk) > 1
    assert len(ca.rows(RecordRow)) == 4


def test_what_a_stolen_key_signs_is_refused_by_name(pair: list[Institute]) -> None:
    uk, ca = pair
    root_signers = pin_root(ca, uk)
    old, stolen = revoked(uk, root_signers)
    ca.node.follow(UK, chain(uk))
    with uk.node.store.read() as session:
        proof = prove_inclusion(session, old.record_id).to_bytes()
    for number, inclusion_ in enumerate((b"", proof, b"rubbish"), start=1):
        forged = card(f"forged {number}").sign(uk.node.home.node_id, stolen)
        shown = replace(forged, inclusion=inclusion_)
        before = str(number - 1) if number > 1 else ""
        batch = Batch((shown,), previous_cursor=before, cursor=str(number))
        assert ca.node.inbox.take(UK, batch).not_stored == 1
    assert ca.rows(RecordRow) == ca.rows(InclusionRow) == []
    assert {row.reason for row in ca.rows(QuarantineRow)} == {"REVOKED_KEY"}


def test_receipts_of_a_revoked_key_are_signed_anew_on_their_way(pair: list[Institute]) -> None:
    uk, ca = pair
    root_signers = pin_root(uk, ca)
    uk.publish(card())
    ca.pull(uk, lose_receipts=True)
    [lost] = ca.node.inbox.unsent(UK, "")
    root_signers.rotate(ca.node, KeyUse.RECORD)
    root_signers.revoke(ca.node, KeyUse.RECORD, lost.keyid, 0)
    uk.node.follow(CA, chain(ca))
    with pytest.raises(RevokedKey), uk.node.store.write() as session:
        keep_receipt(session, CA, lost, uk.node.clock())
    [signed] = ca.node.inbox.unsent(UK, "")
    assert (signed.payload, signed.keyid) == (lost.payload, ca.node.key.key.keyid)
    with uk.node.store.write() as session:
        keep_receipt(session, CA, signed, uk.node.clock())
    assert ca.node.inbox.unsent(UK, "") == [signed]
