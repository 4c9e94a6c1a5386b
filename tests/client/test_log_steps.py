"""Proofs, checkpoints, cosignatures and quorums in evidence: each way of spoiling them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from comity.client.exports.writing import export_record
from comity.client.verify.evidence import Evidence
from comity.client.verify.steps import Outcome, Verdict
from comity.client.verify.trust import Trust
from comity.record import log
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.cosignature import cosign
from comity.record.keys import SigningKey
from comity.record.note import LOG_KEY, WITNESS_KEY, Note, SignatureLine
from comity.record.tlog_proof import TlogProof
from tests.support.altering import flip_bit
from tests.support.drafts import card
from tests.support.logbook import NOW, Logbook, note_signer
from tests.support.verifying import (
    detail,
    evidence_in,
    outcomes,
    policy_of,
    proof_in,
    reasons,
    replace_proof,
    verify,
)

UK, CA, JP = "uk.aisi.example", "ca.aisi.example", "jp.aisi.example"

Change = Callable[[Logbook, TlogProof], TlogProof]


@pytest.fixture
def logbook(signing_key: SigningKey) -> Logbook:
    return Logbook(UK, signing_key, CA, JP)


@pytest.fixture
def evidence(logbook: Logbook, tmp_path: Path) -> Path:
    return evidence_in(tmp_path / "evidence", logbook)


def wrong_index(logbook: Logbook, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index - 1, proof.hashes, proof.checkpoint)


def index_beyond_the_tree(logbook: Logbook, proof: TlogProof) -> TlogProof:
    return TlogProof(2**53, proof.hashes, proof.checkpoint)


def hash_left_out(logbook: Logbook, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index, proof.hashes[1:], proof.checkpoint)


def hash_added(logbook: Logbook, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index, (*proof.hashes, bytes(32)), proof.checkpoint)


def hash_flipped(logbook: Logbook, proof: TlogProof) -> TlogProof:
    hashes = (flip_bit(proof.hashes[0], 5), *proof.hashes[1:])
    return TlogProof(proof.index, hashes, proof.checkpoint)


def checkpoint_of_another_tree(logbook: Logbook, proof: TlogProof) -> TlogProof:
    note = sign_checkpoint(Checkpoint(logbook.signer.name, 11, bytes(32)), logbook.signer)
    return TlogProof(proof.index, proof.hashes, note.to_bytes())


def checkpoint_of_another_size(logbook: Logbook, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index, proof.hashes, logbook.checkpoint(8))


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
    evidence: Path, logbook: Logbook, spoil: Change
) -> None:
    replace_proof(evidence, spoil(logbook, proof_in(evidence)))
    verification = verify(evidence, logbook.trust)
    assert verification.verdict is Verdict.INVALID
    assert reasons(verification)["inclusion"] == "BAD_PROOF"
    assert outcomes(verification)["checkpoint"] is Outcome.OK


def log_signature_flipped(logbook: Logbook, note: Note) -> Note:
    line = note.signatures[0]
    bad = SignatureLine(line.name, line.keyid, flip_bit(line.signature, 9))
    return Note(note.text, (bad, *note.signatures[1:]))


def size_changed(logbook: Logbook, note: Note) -> Note:
    return Note(note.text.replace("\n11\n", "\n12\n"), note.signatures)


def size_beyond_2_to_the_53(logbook: Logbook, note: Note) -> Note:
    text = note.text.replace("\n11\n", f"\n{2**53 + 1}\n")
    return Note(text, (logbook.signer.sign(text), *note.signatures[1:]))


def cosignature_flipped(logbook: Logbook, note: Note) -> Note:
    line = note.signatures[1]
    bad = SignatureLine(line.name, line.keyid, flip_bit(line.signature, 30))
    return Note(note.text, (note.signatures[0], bad))


def cosignature_in_the_future(logbook: Logbook, note: Note) -> Note:
    line = cosign(note.text, logbook.witnesses[CA], NOW + timedelta(days=1))
    return Note(note.text, (note.signatures[0], line))


@pytest.mark.parametrize(
    ("spoil", "step", "reason"),
    [
        (log_signature_flipped, "checkpoint", "BAD_SIGNATURE"),
        (size_changed, "checkpoint", "BAD_SIGNATURE"),
        (size_beyond_2_to_the_53, "checkpoint", "LIMIT_EXCEEDED"),
        (cosignature_flipped, "cosignatures", "BAD_SIGNATURE"),
        (cosignature_in_the_future, "cosignatures", "BAD_CHECKPOINT"),
    ],
)
def test_a_spoilt_checkpoint_makes_evidence_invalid(
    evidence: Path,
    logbook: Logbook,
    spoil: Callable[[Logbook, Note], Note],
    step: str,
    reason: str,
) -> None:
    proof = proof_in(evidence)
    note = spoil(logbook, Note.parse(proof.checkpoint))
    replace_proof(evidence, TlogProof(proof.index, proof.hashes, note.to_bytes()))
    verification = verify(evidence, logbook.trust)
    assert verification.verdict is Verdict.INVALID
    assert reasons(verification)[step] == reason


def test_a_checkpoint_that_another_log_signed_is_not_the_issuers(
    evidence: Path, logbook: Logbook
) -> None:
    other = note_signer(log.origin(CA), LOG_KEY)
    proof = proof_in(evidence)
    checkpoint = Checkpoint.parse(Note.parse(proof.checkpoint).text)
    note = sign_checkpoint(Checkpoint(other.name, checkpoint.size, checkpoint.root), other)
    replace_proof(evidence, TlogProof(proof.index, proof.hashes, note.to_bytes()))
    listed = (*logbook.bundle.log_keys, str(other.verifier))
    greedy = logbook.bundle.model_copy(update={"log_keys": listed})
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
    evidence: Path, logbook: Logbook, content: bytes, reason: str
) -> None:
    (evidence / "inclusion.tlog-proof").write_bytes(content)
    verification = verify(evidence, logbook.trust)
    assert verification.verdict is Verdict.INVALID
    assert reasons(verification)["proof"] == reason
    assert outcomes(verification)["signature"] is Outcome.OK


@pytest.mark.parametrize(
    "name", ["inclusion.tlog-proof", "checkpoint.txt", "bundle.sigstore.json", "leaf.json"]
)
def test_evidence_that_lacks_a_file_is_invalid(evidence: Path, logbook: Logbook, name: str) -> None:
    (evidence / name).unlink()
    verification = verify(evidence, logbook.trust)
    assert verification.verdict is Verdict.INVALID
    assert name in json.dumps(verification.to_value())


def test_a_checkpoint_beside_the_proof_that_differs_is_named(
    evidence: Path, logbook: Logbook
) -> None:
    (evidence / "checkpoint.txt").write_bytes(logbook.checkpoint(10))
    verification = verify(evidence, logbook.trust)
    assert reasons(verification)["proof"] == "BAD_EVIDENCE"
    assert detail(verification, "proof").startswith("checkpoint.txt: ")


def test_witnesses_count_whose_bundles_are_at_hand(evidence: Path, logbook: Logbook) -> None:
    verification = verify(evidence, Trust((logbook.bundle, logbook.witness_bundle(JP))))
    told = "witness.jp.aisi.example at 2026-05-21T09:00:00Z"
    assert detail(verification, "cosignatures") == told
    none = verify(evidence, Trust((logbook.bundle,)))
    assert none.verdict is Verdict.VALID
    assert none.witnessed_time is None


def test_a_witness_key_under_the_name_of_another_institute_does_not_count(
    evidence: Path, logbook: Logbook
) -> None:
    usurper = note_signer(f"witness.{CA}", WITNESS_KEY)
    proof = proof_in(evidence)
    note = Note.parse(proof.checkpoint)
    note = Note(note.text, (note.signatures[0], cosign(note.text, usurper, NOW)))
    replace_proof(evidence, TlogProof(proof.index, proof.hashes, note.to_bytes()))
    keys = (str(usurper.verifier),)
    listing = logbook.witness_bundle(JP).model_copy(update={"witness_keys": keys})
    assert verify(evidence, Trust((logbook.bundle, listing))).witnessed_time is None


def test_a_cosignature_that_its_witness_did_not_make_spoils_no_evidence(
    logbook: Logbook, tmp_path: Path
) -> None:
    opened = logbook.append(card())
    proof = logbook.prove(opened)
    note = cosignature_flipped(logbook, Note.parse(proof.checkpoint))
    note = Note(note.text, (*note.signatures, cosign(note.text, logbook.witnesses[JP], NOW)))
    shown = TlogProof(proof.index, proof.hashes, note.to_bytes())
    envelope, key = opened.record.envelope, logbook.key.key
    witnesses = [signer.verifier for signer in logbook.witnesses.values()]
    made = Evidence.of(envelope, key, logbook.bundle, shown, witnesses)
    assert made.witnesses == (logbook.witnesses[JP].verifier,)
    export_record(opened, key, tmp_path / "e", made)
    assert verify(tmp_path / "e", logbook.trust).verdict is Verdict.VALID


def test_an_issuer_that_cosigns_itself_is_no_witness(
    signing_key: SigningKey, tmp_path: Path
) -> None:
    logbook = Logbook(UK, signing_key, UK)
    opened = logbook.append(card())
    export_record(opened, signing_key.key, tmp_path / "e", logbook.evidence(opened))
    keys = logbook.witness_bundle(UK).witness_keys
    own = logbook.bundle.model_copy(update={"witness_keys": keys})
    assert verify(tmp_path / "e", Trust((own,))).witnessed_time is None


@pytest.mark.parametrize(
    ("threshold", "cosigned", "outcome"),
    [("all", 2, Outcome.OK), ("any", 1, Outcome.OK), ("all", 1, Outcome.UNKNOWN)],
)
def test_a_policy_asks_for_its_quorum(
    evidence: Path, logbook: Logbook, threshold: str, cosigned: int, outcome: Outcome
) -> None:
    proof = proof_in(evidence)
    note = Note.parse(proof.checkpoint)
    fewer = Note(note.text, note.signatures[: 1 + cosigned])
    replace_proof(evidence, TlogProof(proof.index, proof.hashes, fewer.to_bytes()))
    verification = verify(evidence, Trust((logbook.bundle,)), policy_of(logbook, threshold))
    assert outcomes(verification)["policy"] is outcome
    missed = {"QUORUM_NOT_MET"} if outcome is Outcome.UNKNOWN else set()
    assert missed <= set(reasons(verification).values())
