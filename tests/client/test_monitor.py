"""Monitoring a log: what holds, what contradicts, and what costs no more than it must."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from comity.client.monitor.look import Monitor
from comity.client.monitor.report import Report, Result
from comity.client.monitor.sources import LogSource
from comity.client.monitor.state import ROW_BYTES, UNREADABLE, digest_in, opened
from comity.client.verify.split_view_steps import verify_split_view
from comity.client.verify.steps import Verdict
from comity.client.verify.trust import Trust
from comity.record import log, merkle
from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.errors import Conflict, Unavailable
from comity.record.keys import SigningKey
from comity.record.note import WITNESS_KEY, Note
from comity.record.tile import Tile
from tests.support.drafts import card
from tests.support.memory_log import NOW, MemoryLog, note_signer

UK, CA = "uk.aisi.example", "ca.aisi.example"


@dataclass
class Shown(LogSource):
    """A log as it is shown: what a test may change, it does."""

    memory_log: MemoryLog
    size: int
    origin: str = ""
    fails_after: int = 1 << 60
    spoil: Callable[[list[bytes]], list[bytes]] = list
    asked: list[Tile] = field(default_factory=list)

    async def checkpoint(self) -> bytes:
        """Return the checkpoint of the first entries."""
        return self.memory_log.checkpoint(self.size)

    async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
        """Return entries."""
        if len(self.asked) >= self.fails_after:
            raise Unavailable("the line was cut")
        self.asked += tiles
        return [self._entries(tile) for tile in tiles]

    def _entries(self, tile: Tile) -> list[bytes]:
        start = 256 * tile.index
        return self.spoil(self.memory_log.leaves[start : start + tile.width])


@pytest.fixture
def memory_log(signing_key: SigningKey) -> MemoryLog:
    memory_log = MemoryLog(UK, signing_key, CA)
    memory_log.leaves = [b"entry %d" % number for number in range(3000)]
    return memory_log


@pytest.fixture
def look(memory_log: MemoryLog, tmp_path: Path) -> Callable[[LogSource], Report]:
    """Return a function that looks at a log, remembering what was seen before."""

    def once(source: LogSource) -> Report:
        monitor = Monitor(memory_log.trust, tmp_path / "state", None, NOW)
        return asyncio.run(monitor.look("the log", source, lambda done, total: None))

    return once


Look = Callable[[LogSource], Report]


def test_a_log_that_grows_is_followed_and_only_what_is_new_is_read(
    memory_log: MemoryLog, look: Look
) -> None:
    first = look(Shown(memory_log, 700))
    assert (first.result, first.institute, first.size, first.before) == (Result.HOLDS, UK, 700, 0)
    assert first.cosigned == 1
    source = Shown(memory_log, 1500)
    second = look(source)
    assert (second.result, second.size, second.before) == (Result.HOLDS, 1500, 700)
    assert [tile.index for tile in source.asked] == [2, 3, 4, 5]
    unchanged = Shown(memory_log, 1500)
    assert look(unchanged).result is Result.HOLDS
    assert unchanged.asked == []


def test_an_empty_log_holds(memory_log: MemoryLog, look: Look) -> None:
    report = look(Shown(memory_log, 0))
    assert (report.result, report.size) == (Result.HOLDS, 0)
    assert look(Shown(memory_log, 1)).result is Result.HOLDS


def test_an_interrupted_look_goes_on_where_it_was(memory_log: MemoryLog, look: Look) -> None:
    report = look(Shown(memory_log, 2500, fails_after=8))
    assert (report.result, report.problem) == (Result.UNCHECKED, "the line was cut")
    source = Shown(memory_log, 3000)
    report = look(source)
    assert (report.result, report.before) == (Result.HOLDS, 0)
    assert source.asked[0].index == 8


def test_a_log_that_goes_back_contradicts_itself(memory_log: MemoryLog, look: Look) -> None:
    look(Shown(memory_log, 300))
    report = look(Shown(memory_log, 299))
    assert report.result is Result.CONTRADICTS
    assert [finding.reason for finding in report.findings] == ["LOG_ROLLED_BACK"]
    assert look(Shown(memory_log, 300)).result is Result.HOLDS


def test_a_log_that_goes_back_to_another_history_leaves_evidence(
    memory_log: MemoryLog, look: Look
) -> None:
    look(Shown(memory_log, 300))
    kept = memory_log.leaves
    memory_log.leaves = [b"another history %d" % number for number in range(300)]
    report = look(Shown(memory_log, 299))
    assert [finding.reason for finding in report.findings] == ["LOG_ROLLED_BACK", "SPLIT_VIEW"]
    evidence = report.findings[1].evidence
    assert evidence is not None
    assert verify_split_view(evidence.read_bytes(), memory_log.trust).verdict is Verdict.VALID
    memory_log.leaves = kept
    assert look(Shown(memory_log, 300)).result is Result.HOLDS


def test_a_history_rewritten_along_with_a_change_of_the_logs_key_contradicts(
    memory_log: MemoryLog, signing_key: SigningKey, tmp_path: Path
) -> None:
    renewed = MemoryLog(UK, signing_key)

    def look(source: MemoryLog, trust: Trust) -> Report:
        monitor = Monitor(trust, tmp_path, None, NOW)
        return asyncio.run(monitor.look("the log", Shown(source, 6), lambda done, total: None))

    assert look(memory_log, memory_log.trust).result is Result.HOLDS
    report = look(renewed, renewed.trust)
    [finding] = report.findings
    assert (report.result, finding.reason) == (Result.CONTRADICTS, "SPLIT_VIEW")
    assert finding.evidence is not None
    evidence = finding.evidence.read_bytes()
    assert verify_split_view(evidence, renewed.trust).verdict is Verdict.UNVERIFIABLE
    keys = (*memory_log.bundle.log_keys, *renewed.bundle.log_keys)
    both = memory_log.bundle.model_copy(update={"log_keys": keys})
    assert verify_split_view(evidence, Trust((both,))).verdict is Verdict.VALID


def test_a_node_that_shows_the_log_of_another_institute_contradicts(
    memory_log: MemoryLog, signing_key: SigningKey, tmp_path: Path
) -> None:
    asked = MemoryLog(CA, signing_key)
    trust = Trust((memory_log.bundle, asked.bundle))
    source = Shown(memory_log, 300, origin=asked.signer.name)
    look = Monitor(trust, tmp_path, None, NOW).look(CA, source, lambda done, total: None)
    report = asyncio.run(look)
    assert [finding.reason for finding in report.findings] == ["BAD_CHECKPOINT"]


def test_a_checkpoint_too_long_for_evidence_is_not_looked_at(
    memory_log: MemoryLog, look: Look
) -> None:
    class Long(Shown):
        async def checkpoint(self) -> bytes:
            plain = Checkpoint.parse(Note.parse(await super().checkpoint()).text)
            long = replace(plain, extensions=("more",) * 4000)
            return Note(long.body, (self.memory_log.signer.sign(long.body),)).to_bytes()

    report = look(Long(memory_log, 300))
    assert report.result is Result.UNCHECKED
    assert "MAX_CHECKPOINT_BYTES" in report.problem


def test_a_witness_with_two_keys_counts_once(memory_log: MemoryLog, tmp_path: Path) -> None:
    memory_log.witnesses["its newer key"] = note_signer(f"witness.{CA}", WITNESS_KEY)
    keys = tuple(str(signer.verifier) for signer in memory_log.witnesses.values())
    bundle = memory_log.witness_bundle(CA).model_copy(update={"witness_keys": keys})
    monitor = Monitor(Trust((memory_log.bundle, bundle)), tmp_path, None, NOW)
    report = asyncio.run(monitor.look(UK, Shown(memory_log, 9), lambda done, total: None))
    assert report.cosigned == 1


def test_a_log_that_is_served_without_end_is_left_in_time(
    memory_log: MemoryLog, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Shown):
        async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
            await asyncio.Event().wait()
            return await super().entries(tiles)

    monkeypatch.setattr("comity.client.monitor.look.LOOK_SECONDS", 0.01)
    report = look(Slow(memory_log, 300))
    assert (report.result, report.findings) == (Result.UNCHECKED, [])
    assert "not through" in report.problem


@pytest.mark.parametrize("size", [300, 301, 1000])
def test_a_rewritten_history_leaves_evidence_that_anyone_can_check(
    memory_log: MemoryLog, look: Look, tmp_path: Path, size: int
) -> None:
    look(Shown(memory_log, 300))
    memory_log.leaves[17] = b"rewritten"
    report = look(Shown(memory_log, size))
    [finding] = report.findings
    assert finding.reason == "SPLIT_VIEW"
    assert finding.evidence is not None
    evidence = finding.evidence.read_bytes()
    assert verify_split_view(evidence, memory_log.trust).verdict is Verdict.VALID
    assert verify_split_view(evidence, Trust()).verdict is Verdict.UNVERIFIABLE
    again = look(Shown(memory_log, size))
    assert [finding.evidence for finding in again.findings] == [finding.evidence]


def test_entries_that_do_not_lead_to_the_root_are_read_once_more_and_then_told(
    memory_log: MemoryLog, look: Look
) -> None:
    source = Shown(memory_log, 300, spoil=lambda entries: [b"other", *entries[1:]])
    report = look(source)
    assert [finding.reason for finding in report.findings] == ["BAD_PROOF"]
    assert [tile.index for tile in source.asked] == [0, 1, 0, 1]
    assert look(Shown(memory_log, 300)).result is Result.HOLDS


def test_damage_to_what_was_remembered_is_mended_from_the_log(
    memory_log: MemoryLog, look: Look, tmp_path: Path
) -> None:
    look(Shown(memory_log, 600))
    file = tmp_path / "state" / f"{UK}.entries"
    data = bytearray(file.read_bytes())
    data[5000] ^= 1
    file.write_bytes(data[:-7])
    assert look(Shown(memory_log, 700)).result is Result.HOLDS
    assert file.stat().st_size == 700 * ROW_BYTES


def test_a_checkpoint_of_a_log_without_a_bundle_cannot_be_checked(
    memory_log: MemoryLog, look: Look, signing_key: SigningKey
) -> None:
    report = look(Shown(MemoryLog(CA, signing_key), 4))
    assert (report.result, report.findings) == (Result.UNCHECKED, [])
    assert CA in report.problem


def test_a_checkpoint_by_another_key_of_the_same_name_cannot_be_checked(
    memory_log: MemoryLog, look: Look
) -> None:
    other = MemoryLog(UK, memory_log.key)
    assert look(Shown(other, 4)).result is Result.UNCHECKED


def test_a_checkpoint_with_a_bad_signature_contradicts(memory_log: MemoryLog, look: Look) -> None:
    class Altered(Shown):
        async def checkpoint(self) -> bytes:
            return self.memory_log.checkpoint(300).replace(b"\n300\n", b"\n301\n")

    report = look(Altered(memory_log, 300))
    assert [finding.reason for finding in report.findings] == ["BAD_SIGNATURE"]


def test_a_size_beyond_all_reason_costs_nothing(memory_log: MemoryLog, look: Look) -> None:
    class Huge(Shown):
        async def checkpoint(self) -> bytes:
            origin = self.memory_log.signer.name
            huge = Checkpoint(origin, 2**53, bytes(32))
            return sign_checkpoint(huge, self.memory_log.signer).to_bytes()

        async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
            raise AssertionError("nothing is to be fetched")

    report = look(Huge(memory_log, 0))
    assert report.result is Result.UNCHECKED
    assert "MAX_MONITORED_ENTRIES" in report.problem


def test_two_monitors_do_not_look_at_one_log_at_once(tmp_path: Path) -> None:
    with opened(tmp_path, UK), pytest.raises(Conflict), opened(tmp_path, UK):
        pass


def test_hashes_of_remembered_entries_are_those_of_the_tree(
    memory_log: MemoryLog, tmp_path: Path
) -> None:
    with opened(tmp_path, UK) as state:
        state.append(memory_log.leaves)
        for size in (1, 2, 255, 1023, 1024, 1025, 2049, 3000):
            assert merkle.root(size, state.read) == merkle.root(size, memory_log.read)


def test_the_digest_of_an_entry_is_read_in_its_one_spelling(memory_log: MemoryLog) -> None:
    envelope = card().sign(memory_log.issuer, memory_log.key, NOW).envelope
    entry = log.leaf(envelope, memory_log.key.key)
    assert len(digest_in(entry)) == 32
    assert digest_in(entry) != UNREADABLE
    for spoilt in (entry + b" ", entry[:-1], entry.replace(b"0.0.2", b"0.0.1"), b"", b"{}"):
        assert digest_in(spoilt) == UNREADABLE
