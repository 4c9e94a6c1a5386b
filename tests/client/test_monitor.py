"""Monitoring a log: what holds, what contradicts, and what costs no more than it must."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from comity.client.monitor.look import Monitor
from comity.client.monitor.report import LookResult, Report
from comity.client.verify.split_view_steps import verify_split_view
from comity.client.verify.steps import Verdict
from comity.client.verify.trust import Trust
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.keys import SigningKey
from comity.record.note import WITNESS_KEY, Note
from comity.record.tile import Tile
from tests.support.memory_log import NOW, MemoryLog, note_signer
from tests.support.shown_log import Look, ShownLog

UK, CA = "uk.aisi.example", "ca.aisi.example"


def test_a_log_that_grows_is_followed_and_only_what_is_new_is_read(
    long_log: MemoryLog, look: Look
) -> None:
    first = look(ShownLog(long_log, 700))
    assert (first.result, first.institute, first.size, first.before) == (
        LookResult.HOLDS,
        UK,
        700,
        0,
    )
    assert first.cosigned == 1
    source = ShownLog(long_log, 1500)
    second = look(source)
    assert (second.result, second.size, second.before) == (LookResult.HOLDS, 1500, 700)
    assert [tile.index for tile in source.asked] == [2, 3, 4, 5]
    unchanged = ShownLog(long_log, 1500)
    assert look(unchanged).result is LookResult.HOLDS
    assert unchanged.asked == []


def test_an_empty_log_holds(long_log: MemoryLog, look: Look) -> None:
    report = look(ShownLog(long_log, 0))
    assert (report.result, report.size) == (LookResult.HOLDS, 0)
    assert look(ShownLog(long_log, 1)).result is LookResult.HOLDS


def test_a_log_that_goes_back_contradicts_itself(long_log: MemoryLog, look: Look) -> None:
    look(ShownLog(long_log, 300))
    report = look(ShownLog(long_log, 299))
    assert report.result is LookResult.CONTRADICTS
    assert [finding.reason for finding in report.findings] == ["LOG_ROLLED_BACK"]
    assert look(ShownLog(long_log, 300)).result is LookResult.HOLDS


def test_a_log_that_goes_back_to_another_history_leaves_evidence(
    long_log: MemoryLog, look: Look
) -> None:
    look(ShownLog(long_log, 300))
    kept = long_log.leaves
    long_log.leaves = [b"another history %d" % number for number in range(300)]
    report = look(ShownLog(long_log, 299))
    assert [finding.reason for finding in report.findings] == ["LOG_ROLLED_BACK", "SPLIT_VIEW"]
    evidence = report.findings[1].evidence
    assert evidence is not None
    assert verify_split_view(evidence.read_bytes(), long_log.trust).verdict is Verdict.VALID
    long_log.leaves = kept
    assert look(ShownLog(long_log, 300)).result is LookResult.HOLDS


def test_a_history_rewritten_along_with_a_change_of_the_logs_key_contradicts(
    long_log: MemoryLog, signing_key: SigningKey, tmp_path: Path
) -> None:
    renewed = MemoryLog(UK, signing_key)

    def look(source: MemoryLog, trust: Trust) -> Report:
        monitor = Monitor(trust, tmp_path, None, NOW)
        return asyncio.run(monitor.look("the log", ShownLog(source, 6), lambda done, total: None))

    assert look(long_log, long_log.trust).result is LookResult.HOLDS
    report = look(renewed, renewed.trust)
    [finding] = report.findings
    assert (report.result, finding.reason) == (LookResult.CONTRADICTS, "SPLIT_VIEW")
    assert finding.evidence is not None
    evidence = finding.evidence.read_bytes()
    assert verify_split_view(evidence, renewed.trust).verdict is Verdict.UNVERIFIABLE
    keys = (*long_log.bundle.log_keys, *renewed.bundle.log_keys)
    both = long_log.bundle.model_copy(update={"log_keys": keys})
    assert verify_split_view(evidence, Trust((both,))).verdict is Verdict.VALID


def test_a_node_that_shows_the_log_of_another_institute_contradicts(
    long_log: MemoryLog, signing_key: SigningKey, tmp_path: Path
) -> None:
    asked = MemoryLog(CA, signing_key)
    trust = Trust((long_log.bundle, asked.bundle))
    source = ShownLog(long_log, 300, origin=asked.signer.name)
    look = Monitor(trust, tmp_path, None, NOW).look(CA, source, lambda done, total: None)
    report = asyncio.run(look)
    assert [finding.reason for finding in report.findings] == ["BAD_CHECKPOINT"]


def test_a_checkpoint_too_long_for_evidence_is_not_looked_at(
    long_log: MemoryLog, look: Look
) -> None:
    class Long(ShownLog):
        async def checkpoint(self) -> bytes:
            plain = Checkpoint.parse(Note.parse(await super().checkpoint()).text)
            long = replace(plain, extensions=("more",) * 4000)
            return Note(long.body, (self.log.signer.sign(long.body),)).to_bytes()

    report = look(Long(long_log, 300))
    assert report.result is LookResult.UNCHECKED
    assert "MAX_CHECKPOINT_BYTES" in report.problem


def test_a_witness_with_two_keys_counts_once(long_log: MemoryLog, tmp_path: Path) -> None:
    long_log.witnesses["its newer key"] = note_signer(f"witness.{CA}", WITNESS_KEY)
    keys = tuple(str(signer.verifier) for signer in long_log.witnesses.values())
    bundle = long_log.witness_bundle(CA).model_copy(update={"witness_keys": keys})
    monitor = Monitor(Trust((long_log.bundle, bundle)), tmp_path, None, NOW)
    report = asyncio.run(monitor.look(UK, ShownLog(long_log, 9), lambda done, total: None))
    assert report.cosigned == 1


def test_a_log_that_is_served_without_end_is_left_in_time(
    long_log: MemoryLog, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(ShownLog):
        async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
            await asyncio.Event().wait()
            return await super().entries(tiles)

    monkeypatch.setattr("comity.client.monitor.look.LOOK_SECONDS", 0.01)
    report = look(Slow(long_log, 300))
    assert (report.result, report.findings) == (LookResult.UNCHECKED, [])
    assert "not through" in report.problem


@pytest.mark.parametrize("size", [300, 301, 1000])
def test_a_rewritten_history_leaves_evidence_that_anyone_can_check(
    long_log: MemoryLog, look: Look, tmp_path: Path, size: int
) -> None:
    look(ShownLog(long_log, 300))
    long_log.leaves[17] = b"rewritten"
    report = look(ShownLog(long_log, size))
    [finding] = report.findings
    assert finding.reason == "SPLIT_VIEW"
    assert finding.evidence is not None
    evidence = finding.evidence.read_bytes()
    assert verify_split_view(evidence, long_log.trust).verdict is Verdict.VALID
    assert verify_split_view(evidence, Trust()).verdict is Verdict.UNVERIFIABLE
    again = look(ShownLog(long_log, size))
    assert [finding.evidence for finding in again.findings] == [finding.evidence]


def test_entries_that_do_not_lead_to_the_root_are_read_once_more_and_then_told(
    long_log: MemoryLog, look: Look
) -> None:
    source = ShownLog(long_log, 300, spoil=lambda entries: [b"other", *entries[1:]])
    report = look(source)
    assert [finding.reason for finding in report.findings] == ["BAD_PROOF"]
    assert [tile.index for tile in source.asked] == [0, 1, 0, 1]
    assert look(ShownLog(long_log, 300)).result is LookResult.HOLDS


def test_a_checkpoint_of_a_log_without_a_bundle_cannot_be_checked(
    long_log: MemoryLog, look: Look, signing_key: SigningKey
) -> None:
    report = look(ShownLog(MemoryLog(CA, signing_key), 4))
    assert (report.result, report.findings) == (LookResult.UNCHECKED, [])
    assert CA in report.problem


def test_a_checkpoint_by_another_key_of_the_same_name_cannot_be_checked(
    long_log: MemoryLog, look: Look
) -> None:
    other = MemoryLog(UK, long_log.key)
    assert look(ShownLog(other, 4)).result is LookResult.UNCHECKED


def test_a_checkpoint_with_a_bad_signature_contradicts(long_log: MemoryLog, look: Look) -> None:
    class Altered(ShownLog):
        async def checkpoint(self) -> bytes:
            return self.log.checkpoint(300).replace(b"\n300\n", b"\n301\n")

    report = look(Altered(long_log, 300))
    assert [finding.reason for finding in report.findings] == ["BAD_SIGNATURE"]


def test_a_size_beyond_all_reason_costs_nothing(long_log: MemoryLog, look: Look) -> None:
    class Huge(ShownLog):
        async def checkpoint(self) -> bytes:
            origin = self.log.signer.name
            huge = Checkpoint(origin, 2**53, bytes(32))
            return sign_checkpoint(huge, self.log.signer).to_bytes()

        async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
            raise AssertionError("nothing is to be fetched")

    report = look(Huge(long_log, 0))
    assert report.result is LookResult.UNCHECKED
    assert "MAX_MONITORED_ENTRIES" in report.problem
