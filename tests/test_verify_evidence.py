"""Verifying evidence offline: what is said of good evidence, and of each way of spoiling it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from comity.client.evidence import Evidence
from comity.client.exported import verify_path
from comity.client.exporting import export_record
from comity.client.steps import Outcome, Verdict, Verification
from comity.client.trust import Trust
from comity.record import log
from comity.record.bundle import TrustBundle
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.cosignature import cosign
from comity.record.keys import SigningKey
from comity.record.note import LOG_KEY, WITNESS_KEY, Note, SignatureLine
from comity.record.root import Root
from comity.record.split_view import SplitView
from comity.record.tlog_policy import LogPolicy
from comity.record.tlog_proof import TlogProof
from comity.record.trusted_root import trusted_root
from tests.commanding import Run
from tests.logbook import NOW, Logbook, note_signer
from tests.network import card
from tests.records import bundle_of
from tests.test_export import flipped

UK, CA, JP = "uk.aisi.example", "ca.aisi.example", "jp.aisi.example"

Change = Callable[[Logbook, TlogProof], TlogProof]


@pytest.fixture
def logbook(signing_key: SigningKey) -> Logbook:
    return Logbook(UK, signing_key, CA, JP)


@pytest.fixture
def evidence(logbook: Logbook, tmp_path: Path) -> Path:
    """Return a folder with the evidence of a card at index 6 of 11, with two cosignatures."""
    opened = logbook.append(card())
    export_record(opened, logbook.key.key, tmp_path / "evidence", logbook.evidence(opened))
    return tmp_path / "evidence"


def verify(
    path: Path, trust: Trust, policy: LogPolicy | None = None, days: int = 0
) -> Verification:
    return verify_path(path, trust, NOW + timedelta(days=days), policy)


def outcomes(verification: Verification) -> dict[str, Outcome]:
    return {step.name: step.outcome for step in verification.steps}


def reasons(verification: Verification) -> dict[str, str]:
    return {step.name: step.reason for step in verification.steps if step.reason}


def detail(verification: Verification, name: str) -> str:
    [step] = [step for step in verification.steps if step.name == name]
    return step.detail


def policy_of(logbook: Logbook, threshold: str) -> LogPolicy:
    witnesses = [f"witness {name} {key.verifier}" for name, key in logbook.witnesses.items()]
    group = f"group some {threshold} {' '.join(logbook.witnesses)}"
    lines = [f"log {logbook.signer.verifier}", *witnesses, group, "quorum some"]
    return LogPolicy.parse("\n".join(lines))


def replace_proof(folder: Path, proof: TlogProof) -> None:
    """Put another proof into the evidence, and its checkpoint beside it."""
    (folder / "inclusion.tlog-proof").write_bytes(proof.to_bytes())
    (folder / "checkpoint.txt").write_bytes(proof.checkpoint)


def proof_in(folder: Path) -> TlogProof:
    return TlogProof.parse((folder / "inclusion.tlog-proof").read_bytes())


def test_good_evidence_passes_every_step_with_its_specification(
    evidence: Path, logbook: Logbook
) -> None:
    verification = verify(evidence, logbook.trust)
    assert verification.verdict is Verdict.VALID
    assert [step.number for step in verification.steps] == list(range(1, 17))
    assert [(step.name, step.spec) for step in verification.steps[8:]] == [
        ("files", "the other files say the same"),
        ("proof", "C2SP tlog-proof"),
        ("checkpoint", "C2SP tlog-checkpoint, signed-note"),
        ("cosignatures", "C2SP tlog-cosignature"),
        ("policy", "C2SP tlog-policy"),
        ("inclusion", "RFC 6962, section 2.1.1; Rekor v2 hashedrekord 0.0.2"),
        ("sigstore", "Sigstore bundle v0.3"),
        ("log key", "Sigstore trusted_root v0.1; signed-note"),
    ]
    assert outcomes(verification).pop("policy") is Outcome.SKIPPED
    assert set(outcomes(verification).values()) == {Outcome.OK, Outcome.SKIPPED}
    assert detail(verification, "inclusion") == "entry 6 of 11"
    assert verification.witnessed_time == NOW


def test_a_zip_and_a_folder_zipped_again_verify_alike(evidence: Path, logbook: Logbook) -> None:
    zipped = shutil.make_archive(str(evidence), "zip", evidence.parent, evidence.name)
    assert verify(Path(zipped), logbook.trust).steps == verify(evidence, logbook.trust).steps
    flat = shutil.make_archive(str(evidence) + "-flat", "zip", evidence)
    assert verify(Path(flat), logbook.trust).verdict is Verdict.VALID


def test_a_bundle_in_the_evidence_counts_only_if_the_person_names_it(
    comity: Run, evidence: Path
) -> None:
    alone = comity("verify", str(evidence), "--json")
    assert (alone.code, alone.json["files"][0]["verdict"]) == (2, "unverifiable")
    pinned = comity("verify", str(evidence), "--bundle", str(evidence / f"{UK}.bundle.json"))
    assert pinned.code == 0


def test_without_the_logs_key_the_record_is_unverifiable(evidence: Path, logbook: Logbook) -> None:
    verification = verify(evidence, Trust((bundle_of(UK, logbook.key),)))
    assert verification.verdict is Verdict.UNVERIFIABLE
    assert reasons(verification) == {"checkpoint": "UNKNOWN_KEY", "log key": "UNKNOWN_KEY"}
    assert outcomes(verification)["signature"] is Outcome.OK


def test_a_log_key_of_another_institute_does_not_speak_for_the_issuers_log(
    evidence: Path, logbook: Logbook
) -> None:
    borrowed = bundle_of(CA).model_copy(update={"log_keys": logbook.bundle.log_keys})
    verification = verify(evidence, Trust((bundle_of(UK, logbook.key), borrowed)))
    assert verification.verdict is Verdict.UNVERIFIABLE


def wrong_index(logbook: Logbook, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index - 1, proof.hashes, proof.checkpoint)


def index_beyond_the_tree(logbook: Logbook, proof: TlogProof) -> TlogProof:
    return TlogProof(2**53, proof.hashes, proof.checkpoint)


def hash_left_out(logbook: Logbook, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index, proof.hashes[1:], proof.checkpoint)


def hash_added(logbook: Logbook, proof: TlogProof) -> TlogProof:
    return TlogProof(proof.index, (*proof.hashes, bytes(32)), proof.checkpoint)


def hash_flipped(logbook: Logbook, proof: TlogProof) -> TlogProof:
    hashes = (flipped(proof.hashes[0], 5), *proof.hashes[1:])
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
    bad = SignatureLine(line.name, line.keyid, flipped(line.signature, 9))
    return Note(note.text, (bad, *note.signatures[1:]))


def size_changed(logbook: Logbook, note: Note) -> Note:
    return Note(note.text.replace("\n11\n", "\n12\n"), note.signatures)


def size_beyond_2_to_the_53(logbook: Logbook, note: Note) -> Note:
    text = note.text.replace("\n11\n", f"\n{2**53 + 1}\n")
    return Note(text, (logbook.signer.sign(text), *note.signatures[1:]))


def cosignature_flipped(logbook: Logbook, note: Note) -> Note:
    line = note.signatures[1]
    bad = SignatureLine(line.name, line.keyid, flipped(line.signature, 30))
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


def test_a_sigstore_bundle_of_another_record_is_noticed(
    evidence: Path, logbook: Logbook, tmp_path: Path
) -> None:
    other = logbook.append(card("other"))
    export_record(other, logbook.key.key, tmp_path / "other", logbook.evidence(other))
    shutil.copy(tmp_path / "other" / "bundle.sigstore.json", evidence)
    verification = verify(evidence, logbook.trust)
    assert verification.verdict is Verdict.INVALID
    assert reasons(verification)["sigstore"] == "BAD_EVIDENCE"


def test_a_trusted_root_that_names_a_strangers_log_key_is_noticed(
    evidence: Path, logbook: Logbook
) -> None:
    stranger = note_signer(logbook.signer.name, LOG_KEY).verifier
    (evidence / "trusted_root.json").write_bytes(trusted_root([stranger]))
    verification = verify(evidence, logbook.trust)
    assert verification.verdict is Verdict.INVALID
    assert reasons(verification)["log key"] == "UNKNOWN_KEY"


def test_witnesses_count_whose_bundles_are_at_hand(evidence: Path, logbook: Logbook) -> None:
    verification = verify(evidence, Trust((logbook.bundle, logbook.witness_bundle(JP))))
    told = "witness.jp.aisi.example at 2026-05-21T09:00:00Z"
    assert detail(verification, "cosignatures") == told
    none = verify(evidence, Trust((logbook.bundle,)))
    assert none.verdict is Verdict.VALID
    assert none.witnessed_time is None


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


def test_a_policy_on_an_export_without_evidence_makes_it_unverifiable(
    logbook: Logbook, tmp_path: Path
) -> None:
    opened = logbook.append(card())
    export_record(opened, logbook.key.key, tmp_path / "plain")
    assert verify(tmp_path / "plain", logbook.trust).verdict is Verdict.VALID
    verification = verify(tmp_path / "plain", logbook.trust, policy_of(logbook, "any"))
    assert verification.verdict is Verdict.UNVERIFIABLE
    assert reasons(verification) == {"policy": "UNPROVEN"}


def test_keys_without_a_proof_still_verify(logbook: Logbook, tmp_path: Path) -> None:
    opened = logbook.append(card())
    bare = Evidence.without_proof(logbook.bundle)
    export_record(opened, logbook.key.key, tmp_path / "bare", bare)
    verification = verify(tmp_path / "bare", logbook.trust)
    assert verification.verdict is Verdict.VALID
    assert "inclusion" not in outcomes(verification)


def revoked_from(bundle: TrustBundle, index: int) -> TrustBundle:
    keys = tuple(key.model_copy(update={"revoked_from": index}) for key in bundle.record_keys)
    return bundle.model_copy(update={"record_keys": keys})


@pytest.mark.parametrize(("index", "verdict"), [(7, Verdict.VALID), (6, Verdict.INVALID)])
def test_a_revoked_key_speaks_for_entries_before_the_index(
    evidence: Path, logbook: Logbook, index: int, verdict: Verdict
) -> None:
    verification = verify(evidence, Trust((revoked_from(logbook.bundle, index),)))
    assert verification.verdict is verdict
    assert f"revoked from index {index}" in detail(verification, "key validity")


def test_a_record_of_a_revoked_key_without_a_proof_is_unverifiable(
    evidence: Path, logbook: Logbook
) -> None:
    trust = Trust((revoked_from(logbook.bundle, 7),))
    verification = verify(evidence / "record.record.json", trust)
    assert verification.verdict is Verdict.UNVERIFIABLE
    assert reasons(verification) == {"key validity": "UNPROVEN"}


def test_evidence_under_an_expired_profile_is_stale_and_not_invalid(
    comity: Run, evidence: Path, logbook: Logbook, tmp_path: Path
) -> None:
    offline = SigningKey.generate()
    expires = NOW + timedelta(days=30)
    root = Root.draft(logbook.bundle, [offline.key], 1, expires).sign(offline)
    (tmp_path / "uk.root.json").write_bytes(root.document)
    trust = Trust((root.profile,), (root,))
    assert verify(evidence, trust, days=29).verdict is Verdict.VALID
    verification = verify(evidence, trust, days=30)
    assert verification.verdict is Verdict.STALE
    assert reasons(verification) == {"profile": "EXPIRED_ROOT"}
    assert verification.to_value()["expiry"] == "2026-06-20T09:00:00Z"
    ended = comity("verify", str(evidence), "--bundle", str(tmp_path / "uk.root.json"))
    assert ended.code == 3
    assert ended.out.startswith(f"{evidence}: stale as of 2026-06-20T09:00:00Z\n")


def test_what_is_wrong_under_an_expired_profile_is_invalid(
    evidence: Path, logbook: Logbook
) -> None:
    offline = SigningKey.generate()
    root = Root.draft(logbook.bundle, [offline.key], 1, NOW).sign(offline)
    replace_proof(evidence, hash_flipped(logbook, proof_in(evidence)))
    assert verify(evidence, Trust((root.profile,), (root,))).verdict is Verdict.INVALID


def test_a_root_that_too_few_of_its_keys_signed_is_not_believed(
    comity: Run, evidence: Path, logbook: Logbook, tmp_path: Path
) -> None:
    keys = [SigningKey.generate(), SigningKey.generate()]
    expires = NOW + timedelta(days=10000)
    root = Root.draft(logbook.bundle, [key.key for key in keys], 2, expires).sign(keys[0])
    (tmp_path / "uk.root.json").write_bytes(root.document)
    ended = comity("verify", str(evidence), "--bundle", str(tmp_path / "uk.root.json"), "--json")
    assert ended.code == 1
    assert json.loads(ended.err)["error"]["reason"] == "BAD_ROOT"


def test_verify_applies_a_policy_file_and_tells_its_faults(
    comity: Run, evidence: Path, logbook: Logbook, tmp_path: Path
) -> None:
    known = ("--bundle", str(evidence / f"{UK}.bundle.json"))
    witness = logbook.witnesses[CA].verifier
    policy = tmp_path / "witnesses.policy"
    policy.write_text(f"log {logbook.signer.verifier}\nwitness ca {witness}\nquorum ca\n")
    good = comity("verify", str(evidence), *known, "--policy", str(policy), "--json")
    assert good.code == 0
    [file] = good.json["files"]
    assert file["witnessedTime"] == "2026-05-21T09:00:00Z"
    stranger = note_signer("witness.kr.aisi.example", WITNESS_KEY).verifier
    policy.write_text(f"witness kr {stranger}\nquorum kr\n")
    assert comity("verify", str(evidence), *known, "--policy", str(policy)).code == 2
    policy.write_text("quorum\n")
    bad = comity("verify", str(evidence), *known, "--policy", str(policy))
    assert (bad.code, "policy line 1" in bad.err) == (1, True)


def test_evidence_of_a_split_view_is_checked_by_the_logs_key_at_hand(
    comity: Run, logbook: Logbook, tmp_path: Path
) -> None:
    one, other = (
        sign_checkpoint(Checkpoint(logbook.signer.name, 4, bytes([fill]) * 32), logbook.signer)
        for fill in (1, 2)
    )
    (tmp_path / "split.json").write_bytes(SplitView.of(one, other).to_json())
    (tmp_path / "same.json").write_bytes(SplitView.of(one, one).to_json())
    (tmp_path / "uk.bundle.json").write_bytes(logbook.bundle.to_json())
    known = ("--bundle", str(tmp_path / "uk.bundle.json"))
    good = comity("verify", "split.json", *known)
    assert good.code == 0
    assert "root 0101010101" in good.out
    assert comity("verify", "split.json").code == 2
    assert comity("verify", "same.json", *known).code == 1
