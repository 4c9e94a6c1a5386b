"""Verifying evidence offline: what is said of good evidence, and of what lies beside it."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

from comity.client.exports.writing import export_record
from comity.client.verify.evidence import Evidence
from comity.client.verify.steps import Outcome, Verdict
from comity.client.verify.trust import Trust
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.note import LOG_KEY, WITNESS_KEY
from comity.record.split_view import SplitView
from comity.record.trusted_root import trusted_root
from tests.support.command_line import Run
from tests.support.drafts import card
from tests.support.memory_log import NOW, MemoryLog, note_signer
from tests.support.records import bundle_of
from tests.support.verification import (
    detail,
    outcomes,
    policy_of,
    reasons,
    verify,
)

UK, CA = "uk.aisi.example", "ca.aisi.example"


def test_good_evidence_passes_every_step_with_its_specification(
    evidence: Path, memory_log: MemoryLog
) -> None:
    verification = verify(evidence, memory_log.trust)
    assert verification.verdict is Verdict.VALID
    assert [step.number for step in verification.steps] == list(range(1, 18))
    assert [(step.name, step.spec) for step in verification.steps[8:]] == [
        ("files", "the other files say the same"),
        ("proof", "C2SP tlog-proof"),
        ("checkpoint", "C2SP tlog-checkpoint, signed-note"),
        ("cosignatures", "C2SP tlog-cosignature"),
        ("policy", "C2SP tlog-policy"),
        ("inclusion", "RFC 6962, section 2.1.1; Rekor v2 hashedrekord 0.0.2"),
        ("sigstore", "Sigstore bundle v0.3"),
        ("log key", "Sigstore trusted_root v0.1; signed-note"),
        ("withdrawal", "Comity, record.withdrawal"),
    ]
    assert outcomes(verification).pop("policy") is Outcome.SKIPPED
    assert set(outcomes(verification).values()) == {Outcome.OK, Outcome.SKIPPED}
    assert detail(verification, "inclusion") == "entry 6 of 11"
    assert verification.witnessed_time == NOW


def test_a_zip_and_a_folder_zipped_again_verify_alike(
    evidence: Path, memory_log: MemoryLog
) -> None:
    zipped = shutil.make_archive(str(evidence), "zip", evidence.parent, evidence.name)
    assert verify(Path(zipped), memory_log.trust).steps == verify(evidence, memory_log.trust).steps
    flat = shutil.make_archive(str(evidence) + "-flat", "zip", evidence)
    assert verify(Path(flat), memory_log.trust).verdict is Verdict.VALID


def test_a_bundle_in_the_evidence_counts_only_if_the_person_names_it(
    comity: Run, evidence: Path
) -> None:
    alone = comity("verify", str(evidence), "--json")
    assert (alone.code, alone.json["files"][0]["verdict"]) == (2, "unverifiable")
    pinned = comity("verify", str(evidence), "--bundle", str(evidence / f"{UK}.bundle.json"))
    assert pinned.code == 0


def test_without_the_logs_key_the_record_is_unverifiable(
    evidence: Path, memory_log: MemoryLog
) -> None:
    verification = verify(evidence, Trust((bundle_of(UK, memory_log.key),)))
    assert verification.verdict is Verdict.UNVERIFIABLE
    assert reasons(verification) == {"checkpoint": "UNKNOWN_KEY", "log key": "UNKNOWN_KEY"}
    assert outcomes(verification)["signature"] is Outcome.OK


def test_a_log_key_of_another_institute_does_not_speak_for_the_issuers_log(
    evidence: Path, memory_log: MemoryLog
) -> None:
    borrowed = bundle_of(CA).model_copy(update={"log_keys": memory_log.bundle.log_keys})
    verification = verify(evidence, Trust((bundle_of(UK, memory_log.key), borrowed)))
    assert verification.verdict is Verdict.UNVERIFIABLE


def test_a_sigstore_bundle_of_another_record_is_noticed(
    evidence: Path, memory_log: MemoryLog, tmp_path: Path
) -> None:
    other = memory_log.append(card("other"))
    export_record(other, memory_log.key.key, tmp_path / "other", memory_log.evidence(other))
    shutil.copy(tmp_path / "other" / "bundle.sigstore.json", evidence)
    verification = verify(evidence, memory_log.trust)
    assert verification.verdict is Verdict.INVALID
    assert reasons(verification)["sigstore"] == "BAD_EVIDENCE"


def test_a_trusted_root_that_names_a_strangers_log_key_is_noticed(
    evidence: Path, memory_log: MemoryLog
) -> None:
    stranger = note_signer(memory_log.signer.name, LOG_KEY).verifier
    (evidence / "trusted_root.json").write_bytes(trusted_root([stranger]))
    verification = verify(evidence, memory_log.trust)
    assert verification.verdict is Verdict.INVALID
    assert reasons(verification)["log key"] == "UNKNOWN_KEY"


def test_a_policy_on_an_export_without_evidence_makes_it_unverifiable(
    memory_log: MemoryLog, tmp_path: Path
) -> None:
    opened = memory_log.append(card())
    export_record(opened, memory_log.key.key, tmp_path / "plain")
    assert verify(tmp_path / "plain", memory_log.trust).verdict is Verdict.VALID
    verification = verify(tmp_path / "plain", memory_log.trust, policy_of(memory_log, "any"))
    assert verification.verdict is Verdict.UNVERIFIABLE
    assert reasons(verification) == {"policy": "UNPROVEN"}


def test_keys_without_a_proof_still_verify(memory_log: MemoryLog, tmp_path: Path) -> None:
    opened = memory_log.append(card())
    bare = Evidence.without_proof(memory_log.bundle)
    export_record(opened, memory_log.key.key, tmp_path / "bare", bare)
    verification = verify(tmp_path / "bare", memory_log.trust)
    assert verification.verdict is Verdict.VALID
    assert "inclusion" not in outcomes(verification)


def test_verify_applies_a_policy_file_and_tells_its_faults(
    comity: Run, evidence: Path, memory_log: MemoryLog, tmp_path: Path
) -> None:
    known = ("--bundle", str(evidence / f"{UK}.bundle.json"))
    witness = memory_log.witnesses[CA].verifier
    policy = tmp_path / "witnesses.policy"
    policy.write_text(f"log {memory_log.signer.verifier}\nwitness ca {witness}\nquorum ca\n")
    good = comity("verify", str(evidence), *known, "--policy", str(policy), "--json")
    assert good.code == 0
    [file] = good.json["files"]
    assert file["witnessedTime"] == "2026-05-21T09:00:00Z"
    stranger = note_signer("witness.kr.aisi.example", WITNESS_KEY).verifier
    policy.write_text(f"witness kr {stranger}\nquorum kr\n")
    assert comity("verify", str(evidence), *known, "--policy", str(policy)).code == 2
    policy.write_text("quorum\n")
    bad = comity("verify", str(evidence), *known, "--policy", str(policy))
    assert (bad.code, "policy line 1" in bad.err) == (2, True)


def test_evidence_of_a_split_view_is_checked_by_the_logs_key_at_hand(
    comity: Run, memory_log: MemoryLog, tmp_path: Path
) -> None:
    one, other = (
        sign_checkpoint(
            Checkpoint(memory_log.signer.name, 4, bytes([fill]) * 32), memory_log.signer
        )
        for fill in (1, 2)
    )
    (tmp_path / "split.json").write_bytes(SplitView.of(one, other).to_json())
    (tmp_path / "same.json").write_bytes(SplitView.of(one, one).to_json())
    (tmp_path / "uk.bundle.json").write_bytes(memory_log.bundle.to_json())
    known = ("--bundle", str(tmp_path / "uk.bundle.json"))
    good = comity("verify", "split.json", *known)
    assert good.code == 0
    assert "root 0101010101" in good.out
    assert comity("verify", "split.json").code == 2
    assert comity("verify", "same.json", *known).code == 1


def test_a_hostile_zip_is_refused_before_anything_is_verified(comity: Run, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "escape.zip", "w") as archive:
        archive.writestr("../envelope.json", b"{}")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("envelope.json", bytes(64 << 20))
    for name, reason in (("escape.zip", "BAD_ARCHIVE"), ("bomb.zip", "LIMIT_EXCEEDED")):
        ended = comity("verify", name, "--json")
        assert ended.code == 1
        error = json.loads(ended.err)["error"]
        assert (error["reason"], name in error["field"]) == (reason, True)
    assert not (tmp_path.parent / "envelope.json").exists()


def test_a_zip_without_an_envelope_is_no_export(comity: Run, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", b"nothing here")
    ended = comity("verify", "empty.zip")
    assert (ended.code, "envelope.json" in ended.err) == (2, True)
