"""Proofs, checkpoints, cosignatures and quorums in evidence: each way of spoiling them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from comity.client.verify.steps import Outcome, Verdict
from comity.client.verify.trust import Trust
from comity.record import log
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.cosignature import cosign
from comity.record.note import LOG_KEY, Note, SignatureLine
from comity.record.tlog_proof import TlogProof
from tests.support.changed_copies import flip_bit
from tests.support.memory_log import NOW, MemoryLog, note_signer
from tests.support.verification import (
    detail,
    flip_cosignature,
    outcomes,
    proof_in,
    reasons,
    replace_proof,
    verify,
)

CA = "ca.aisi.example"

Change = Callable[[MemoryLog, TlogProof], TlogProof]


def wrong_index(memory_log: MemoryLog, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index - 1, proof.hashes, proof.checkpoint)


def index_beyond_the_tree(memory_log: MemoryLog, proof: TlogProof) -> TlogProof:
    return TlogProof(2**53, proof.hashes, proof.checkpoint)


def hash_left_out(memory_log: MemoryLog, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index, proof.hashes[1:], proof.checkpoint)


def hash_added(memory_log: MemoryLog, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index, (*proof.hashes, bytes(32)), proof.checkpoint)


def hash_flipped(memory_log: MemoryLog, proof: TlogProof) -> TlogProof:
    hashes = (flip_bit(proof.hashes[0], 5), *proof.hashes[1:])
    return TlogProof(proof.index, hashes, proof.checkpoint)


def checkpoint_of_another_tree(memory_log: MemoryLog, proof: TlogProof) -> TlogProof:
    note = sign_checkpoint(Checkpoint(memory_log.signer.name, 11, bytes(32)), memory_log.signer)
    return TlogProof(proof.index, proof.hashes, note.to_bytes())


def checkpoint_of_another_size(memory_log: MemoryLog, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index, proof.hashes, memory_log.checkpoint(8))


@pytest.mark.parametrize(
    "spoil",
    [
        wrong_index,
        index_beyond_the_tree,
        hash_left_out,
        hash_added,
        hash_flipped,
        checkpoint_of_another_tree,
        checkpoint_of_another_size,
    ],
)
def test_a_proof_that_does_not_lead_to_the_root_makes_evidence_invalid(
    evidence: Path, memory_log: MemoryLog, spoil: Change
) -> None:
    replace_proof(evidence, spoil(memory_log, proof_in(evidence)))
    verification = verify(evidence, memory_log.trust)
    assert verification.verdict is Verdict.INVALID
    assert reasons(verification)["inclusion"] == "BAD_PROOF"
    assert outcomes(verification)["checkpoint"] is Outcome.OK


def log_signature_flipped(memory_log: MemoryLog, note: Note) -> Note:
    line = note.signatures[0]
    bad = SignatureLine(line.name, line.keyid, flip_bit(line.signature, 9))
    return Note(note.text, (bad, *note.signatures[1:]))


def size_changed(memory_log: MemoryLog, note: Note) -> Note:
    return Note(note.text.replace("\n11\n", "\n12\n"), note.signatures)


def size_beyond_2_to_the_53(memory_log: MemoryLog, note: Note) -> Note:
    text = note.text.replace("\n11\n", f"\n{2**53 + 1}\n")
    return Note(text, (memory_log.signer.sign(text), *note.signatures[1:]))


def cosignature_in_the_future(memory_log: MemoryLog, note: Note) -> Note:
    line = cosign(note.text, memory_log.witnesses[CA], NOW + timedelta(days=1))
    return Note(note.text, (note.signatures[0], line))


@pytest.mark.parametrize(
    ("spoil", "step", "reason"),
    [
        (log_signature_flipped, "checkpoint", "BAD_SIGNATURE"),
        (size_changed, "checkpoint", "BAD_SIGNATURE"),
        (size_beyond_2_to_the_53, "checkpoint", "LIMIT_EXCEEDED"),
        (flip_cosignature, "cosignatures", "BAD_SIGNATURE"),
        (cosignature_in_the_future, "cosignatures", "BAD_CHECKPOINT"),
    ],
)
def test_a_spoilt_checkpoint_makes_evidence_invalid(
    evidence: Path,
    memory_log: MemoryLog,
    spoil: Callable[[MemoryLog, Note], Note],
    step: str,
    reason: str,
) -> None:
    proof = proof_in(evidence)
    note = spoil(memory_log, Note.parse(proof.checkpoint))
    replace_proof(evidence, TlogProof(proof.index, proof.hashes, note.to_bytes()))
    verification = verify(evidence, memory_log.trust)
    assert verification.verdict is Verdict.INVALID
    assert reasons(verification)[step] == reason


def test_a_checkpoint_that_another_log_signed_is_not_the_issuers(
    evidence: Path, memory_log: MemoryLog
) -> None:
    other = note_signer(log.origin(CA), LOG_KEY)
    proof = proof_in(evidence)
    checkpoint = Checkpoint.parse(Note.parse(proof.checkpoint).text)
    note = sign_checkpoint(Checkpoint(other.name, checkpoint.size, checkpoint.root), other)
    replace_proof(evidence, TlogProof(proof.index, proof.hashes, note.to_bytes()))
    listed = (*memory_log.bundle.log_keys, str(other.verifier))
    greedy = memory_log.bundle.model_copy(update={"log_keys": listed})
    assert verify(evidence, Trust((greedy,))).verdict is not Verdict.VALID


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "BAD_PROOF"),
        (b"c2sp.org/tlog-proof@v1\nindex 6\n", "BAD_PROOF"),
        (b"c2sp.org/tlog-proof@v1\nindex 06\n\nx", "BAD_PROOF"),
        (b"\xff" * 100, "BAD_PROOF"),
        (b"a" * (600 << 10), "LIMIT_EXCEEDED"),
    ],
    ids=["empty", "cut short", "leading zero", "not text", "oversize"],
)
def test_a_malformed_proof_is_named(
    evidence: Path, memory_log: MemoryLog, content: bytes, reason: str
) -> None:
    (evidence / "inclusion.tlog-proof").write_bytes(content)
    verification = verify(evidence, memory_log.trust)
    assert verification.verdict is Verdict.INVALID
    assert reasons(verification)["proof"] == reason
    assert outcomes(verification)["signature"] is Outcome.OK


@pytest.mark.parametrize(
    "name", ["inclusion.tlog-proof", "checkpoint.txt", "bundle.sigstore.json", "leaf.json"]
)
def test_evidence_that_lacks_a_file_is_invalid(
    evidence: Path, memory_log: MemoryLog, name: str
) -> None:
    (evidence / name).unlink()
    verification = verify(evidence, memory_log.trust)
    assert verification.verdict is Verdict.INVALID
    assert name in json.dumps(verification.to_value())


def test_a_checkpoint_beside_the_proof_that_differs_is_named(
    evidence: Path, memory_log: MemoryLog
) -> None:
    (evidence / "checkpoint.txt").write_bytes(memory_log.checkpoint(10))
    verification = verify(evidence, memory_log.trust)
    assert reasons(verification)["proof"] == "BAD_EVIDENCE"
    assert detail(verification, "proof").startswith("checkpoint.txt: ")
