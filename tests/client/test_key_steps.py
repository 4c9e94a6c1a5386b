"""Keys over time: revoked from an index, and profiles whose time is over."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from comity.client.verify.steps import Verdict
from comity.client.verify.trust import Trust, load_trust
from comity.record.bundle import TrustBundle
from comity.record.keys import SigningKey
from comity.record.root import Root
from tests.support.command_line import Run
from tests.support.memory_log import NOW, MemoryLog
from tests.support.verification import (
    detail,
    reasons,
    verify,
)


def revoked_from(bundle: TrustBundle, index: int) -> TrustBundle:
    keys = tuple(key.model_copy(update={"revoked_from": index}) for key in bundle.record_keys)
    return bundle.model_copy(update={"record_keys": keys})


@pytest.mark.parametrize(("index", "verdict"), [(7, Verdict.VALID), (6, Verdict.INVALID)])
def test_a_revoked_key_speaks_for_entries_before_the_index(
    evidence: Path, memory_log: MemoryLog, index: int, verdict: Verdict
) -> None:
    verification = verify(evidence, Trust((revoked_from(memory_log.bundle, index),)))
    assert verification.verdict is verdict
    assert f"revoked from index {index}" in detail(verification, "key validity")


def test_a_record_of_a_revoked_key_without_a_proof_is_unverifiable(
    evidence: Path, memory_log: MemoryLog
) -> None:
    trust = Trust((revoked_from(memory_log.bundle, 7),))
    verification = verify(evidence / "record.record.json", trust)
    assert verification.verdict is Verdict.UNVERIFIABLE
    assert reasons(verification) == {"key validity": "UNPROVEN"}


def test_evidence_under_an_expired_profile_is_stale_and_not_invalid(
    comity: Run, evidence: Path, memory_log: MemoryLog, tmp_path: Path
) -> None:
    offline = SigningKey.generate()
    expires = NOW + timedelta(days=30)
    root = Root.draft(memory_log.bundle, [offline.key], 1, expires).sign(offline)
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


def test_of_two_roots_with_one_profile_the_newer_one_says_until_when(
    memory_log: MemoryLog, tmp_path: Path
) -> None:
    holder = SigningKey.generate()
    for version, days in ((9, 1), (10, 30)):
        expires = NOW + timedelta(days=days)
        root = Root.draft(memory_log.bundle, [holder.key], 1, expires, version).sign(holder)
        (tmp_path / f"{version}.root.json").write_bytes(root.document)
    [root] = load_trust([tmp_path]).roots
    assert root.version == 10


def test_what_is_wrong_under_an_expired_profile_is_invalid(
    evidence: Path, memory_log: MemoryLog
) -> None:
    offline = SigningKey.generate()
    root = Root.draft(memory_log.bundle, [offline.key], 1, NOW).sign(offline)
    (evidence / "checkpoint.txt").write_bytes(memory_log.checkpoint(10))
    assert verify(evidence, Trust((root.profile,), (root,))).verdict is Verdict.INVALID


def test_a_root_that_too_few_of_its_keys_signed_is_not_believed(
    comity: Run, evidence: Path, memory_log: MemoryLog, tmp_path: Path
) -> None:
    keys = [SigningKey.generate(), SigningKey.generate()]
    expires = NOW + timedelta(days=10000)
    root = Root.draft(memory_log.bundle, [key.key for key in keys], 2, expires).sign(keys[0])
    (tmp_path / "uk.root.json").write_bytes(root.document)
    ended = comity("verify", str(evidence), "--bundle", str(tmp_path / "uk.root.json"), "--json")
    assert ended.code == 2
    assert json.loads(ended.err)["error"]["reason"] == "BAD_ROOT"
