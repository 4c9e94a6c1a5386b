"""Cosignatures under evidence: whose count, and for which quorum."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.client.exports.writing import export_record
from comity.client.verify.evidence import Evidence
from comity.client.verify.steps import Outcome, Verdict
from comity.client.verify.trust import Trust
from comity.record.cosignature import cosign
from comity.record.keys import SigningKey
from comity.record.note import WITNESS_KEY, Note
from comity.record.tlog_proof import TlogProof
from tests.support.drafts import card
from tests.support.memory_log import NOW, MemoryLog, note_signer
from tests.support.verification import (
    detail,
    flip_cosignature,
    outcomes,
    policy_of,
    proof_in,
    reasons,
    replace_proof,
    verify,
)

UK, CA, JP = "uk.aisi.example", "ca.aisi.example", "jp.aisi.example"


def test_witnesses_count_whose_bundles_are_at_hand(evidence: Path, memory_log: MemoryLog) -> None:
    verification = verify(evidence, Trust((memory_log.bundle, memory_log.witness_bundle(JP))))
    told = "witness.jp.aisi.example at 2026-05-21T09:00:00Z"
    assert detail(verification, "cosignatures") == told
    none = verify(evidence, Trust((memory_log.bundle,)))
    assert none.verdict is Verdict.VALID
    assert none.witnessed_time is None


def test_a_witness_key_under_the_name_of_another_institute_does_not_count(
    evidence: Path, memory_log: MemoryLog
) -> None:
    usurper = note_signer(f"witness.{CA}", WITNESS_KEY)
    proof = proof_in(evidence)
    note = Note.parse(proof.checkpoint)
    note = Note(note.text, (note.signatures[0], cosign(note.text, usurper, NOW)))
    replace_proof(evidence, TlogProof(proof.index, proof.hashes, note.to_bytes()))
    keys = (str(usurper.verifier),)
    listing = memory_log.witness_bundle(JP).model_copy(update={"witness_keys": keys})
    assert verify(evidence, Trust((memory_log.bundle, listing))).witnessed_time is None


def test_a_cosignature_that_its_witness_did_not_make_spoils_no_evidence(
    memory_log: MemoryLog, tmp_path: Path
) -> None:
    opened = memory_log.append(card())
    proof = memory_log.prove(opened)
    note = flip_cosignature(memory_log, Note.parse(proof.checkpoint))
    note = Note(note.text, (*note.signatures, cosign(note.text, memory_log.witnesses[JP], NOW)))
    shown = TlogProof(proof.index, proof.hashes, note.to_bytes())
    envelope, key = opened.record.envelope, memory_log.key.key
    witnesses = [signer.verifier for signer in memory_log.witnesses.values()]
    made = Evidence.of(envelope, key, memory_log.bundle, shown, witnesses)
    assert made.witnesses == (memory_log.witnesses[JP].verifier,)
    export_record(opened, key, tmp_path / "e", made)
    assert verify(tmp_path / "e", memory_log.trust).verdict is Verdict.VALID


def test_an_issuer_that_cosigns_itself_is_no_witness(
    signing_key: SigningKey, tmp_path: Path
) -> None:
    memory_log = MemoryLog(UK, signing_key, UK)
    opened = memory_log.append(card())
    export_record(opened, signing_key.key, tmp_path / "e", memory_log.evidence(opened))
    keys = memory_log.witness_bundle(UK).witness_keys
    own = memory_log.bundle.model_copy(update={"witness_keys": keys})
    assert verify(tmp_path / "e", Trust((own,))).witnessed_time is None


@pytest.mark.parametrize(
    ("threshold", "cosigned", "outcome"),
    [("all", 2, Outcome.OK), ("any", 1, Outcome.OK), ("all", 1, Outcome.UNKNOWN)],
)
def test_a_policy_asks_for_its_quorum(
    evidence: Path, memory_log: MemoryLog, threshold: str, cosigned: int, outcome: Outcome
) -> None:
    proof = proof_in(evidence)
    note = Note.parse(proof.checkpoint)
    fewer = Note(note.text, note.signatures[: 1 + cosigned])
    replace_proof(evidence, TlogProof(proof.index, proof.hashes, fewer.to_bytes()))
    verification = verify(evidence, Trust((memory_log.bundle,)), policy_of(memory_log, threshold))
    assert outcomes(verification)["policy"] is outcome
    missed = {"QUORUM_NOT_MET"} if outcome is Outcome.UNKNOWN else set()
    assert missed <= set(reasons(verification).values())
