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
from tests.support.logbook import NOW, Logbook, note_signer

UK, CA = "uk.aisi.example", "ca.aisi.example"


@dataclass
class Shown(LogSource):
    """A log as it is shown: what a test may change, it does."""

    logbook: Logbook
    size: int
    origin: str = ""
    fails_after: int = 1 << 60
    spoil: Callable[[list[bytes]], list[bytes]] = list
    asked: list[Tile] = field(default_factory=list)

    async def checkpoint(self) -> bytes:
        """Return the checkpoint of the first entries."""
        return self.logbook.checkpoint(self.size)

    async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
        """Return entries."""
        if len(self.asked) >= self.fails_after:
            raise Unavailable("the line was cut")
        self.asked += tiles
        return [self._entries(tile) for tile in tiles]

    def _entries(self, tile: Tile) -> list[bytes]:
        start = 256 * tile.index
        return self.spoil(self.logbook.leaves[start : start + tile.width])


@pytest.fixture
def logbook(signing_key: SigningKey) -> Logbook:
    logbook = Logbook(UK, signing_key, CA)
    logbook.leaves = [b"entry %d" % number for number in range(3000)]
    return logbook


@pytest.fixture
def look(logbook: Logbook, tmp_path: Path) -> Callable[[LogSource], Report]:
    """Return a function that looks at a log, remembering what was seen before."""

    def once(source: LogSource) -> Report:
        monitor = Monitor(logbook.trust, tmp_path / "state", None, NOW)
        return asyncio.run(monitor.look("the log", source, lambda done, total: None))

    return once


Look = Callable[[LogSource], Report]


def test_a_log_that_grows_is_followed_and_only_what_is_new_is_read(
    logbook: Logbook, look: Look
) -> None:
    first = look(Shown(logbook, 700))
    assert (first.result, first.institute, first.size, first.before) == (Result.HOLDS, UK, 700, 0)
    assert first.cosigned == 1
    source = Shown(logbook, 1500)
    second = look(source)
    assert (second.result, second.size, second.before) == (Result.HOLDS, 1500, 700)
    assert [tile.index for tile in source.asked] == [2, 3, 4, 5]
    unchanged = Shown(logbook, 1500)
    assert look(unchanged).result is Result.HOLDS
    assert unchanged.asked == []


def test_an_empty_log_holds(logbook: Logbook, look: Look) -> None:
    report = look(Shown(logbook, 0))
    assert (report.result, report.size) == (Result.HOLDS, 0)
    assert look(Shown(logbook, 1)).result is Result.HOLDS


def test_an_interrupted_look_goes_on_where_it_was(logbook: Logbook, look: Look) -> None:
    report = look(Shown(logbook, 2500, fails_after=8))
    assert (report.result, report.problem) == (Result.UNCHECKED, "the line was cut")
    source = Shown(logbook, 3000)
    report = look(source)
    assert (report.result, report.before) == (Result.HOLDS, 0)
    assert source.asked[0].index == 8


def test_a_log_that_goes_back_contradicts_itself(logbook: Logbook, look: Look) -> None:
    look(Shown(logbook, 300))
    report = look(Shown(logbook, 299))
    assert report.result is Result.CONTRADICTS
    assert [finding.reason for finding in report.findings] == ["LOG_ROLLED_BACK"]
    assert look(Shown(logbook, 300)).result is Result.HOLDS


def test_a_log_that_goes_back_to_another_history_leaves_evidence(
    logbook: Logbook, look: Look
) -> None:
    look(Shown(logbook, 300))
    kept = logbook.leaves
    logbook.leaves = [b"another history %d" % number for number in range(300)]
    report = look(Shown(logbook, 299))
    assert [finding.reason for finding in report.findings] == ["LOG_ROLLED_BACK", "SPLIT_VIEW"]
    evidence = report.findings[1].evidence
    assert evidence is not None
    assert verify_split_view(evidence.read_bytes(), logbook.trust).verdict is Verdict.VALID
    logbook.leaves = kept
    assert look(Shown(logbook, 300)).result is Result.HOLDS


def test_a_history_rewritten_along_with_a_change_of_the_logs_key_contradicts(
    logbook: Logbook, signing_key: SigningKey, tmp_path: Path
) -> None:
    renewed = Logbook(UK, signing_key)

    def look(source: Logbook, trust: Trust) -> Report:
        monitor = Monitor(trust, tmp_path, None, NOW)
        return asyncio.run(monitor.look("the log", Shown(source, 6), lambda done, total: None))

    assert look(logbook, logbook.trust).result is Result.HOLDS
    report = look(renewed, renewed.trust)
    [finding] = report.findings
    assert (report.result, finding.reason) == (Result.CONTRADICTS, "SPLIT_VIEW")
    assert finding.evidence is not None
    evidence = finding.evidence.read_bytes()
    assert verify_split_view(evidence, renewed.trust).verdict is Verdict.UNVERIFIABLE
    keys = (*logbook.bundle.log_keys, *renewed.bundle.log_keys)
    both = logbook.bundle.model_copy(update={"log_keys": keys})
    assert verify_split_view(evidence, Trust((both,))).verdict is Verdict.VALID


def test_a_node_that_shows_the_log_of_another_institute_contradicts(
    logbook: Logbook, signing_key: SigningKey, tmp_path: Path
) -> None:
    asked = Logbook(CA, signing_key)
    trust = Trust((logbook.bundle, asked.bundle))
    source = Shown(logbook, 300, origin=asked.signer.name)
    look = Monitor(trust, tmp_path, None, NOW).look(CA, source, lambda done, total: None)
    report = asyncio.run(look)
    assert [finding.reason for finding in report.findings] == ["BAD_CHECKPOINT"]


def test_a_checkpoint_too_long_for_evidence_is_not_looked_at(logbook: Logbook, look: Look) -> None:
    class Long(Shown):
        async def checkpoint(self) -> bytes:
            plain = Checkpoint.parse(Note.parse(await super().checkpoint()).text)
            long = replace(plain, extensions=("more",) * 4000)
            return Note(long.body, (self.logbook.signer.sign(long.body),)).to_bytes()

    report = look(Long(logbook, 300))
    assert report.result is Result.UNCHECKED
    assert "MAX_CHECKPOINT_BYTES" in report.problem


def test_a_witness_with_two_keys_counts_once(logbook: Logbook, tmp_path: Path) -> None:
    logbook.witnesses["its newer key"] = note_signer(f"witness.{CA}", WITNESS_KEY)
    keys = tuple(str(signer.verifier) for signer in logbook.witnesses.values())
    bundle = logbook.witness_bundle(CA).model_copy(update={"witness_keys": keys})
    monitor = Monitor(Trust((logbook.bundle, bundle)), tmp_path, None, NOW)
    report = asyncio.run(monitor.look(UK, Shown(logbook, 9), lambda done, total: None))
    assert report.cosigned == 1


def test_a_log_that_is_served_without_end_is_left_in_time(
    logbook: Logbook, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Shown):
        async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
            await asyncio.Event().wait()
            return await super().entries(tiles)

    monkeypatch.setattr("comity.client.monitor.look.LOOK_SECONDS", 0.01)
    report = look(Slow(logbook, 300))
    assert (report.result, report.findings) == (Result.UNCHECKED, [])
    assert "not through" in report.problem


@pytest.mark.parametrize("size", [300, 301, 1000])
def test_a_rewritten_history_leaves_evidence_that_anyone_can_check(
    logbook: Logbook, look: Look, tmp_path: Path, size: int
) -> None:
    look(Shown(logbook, 300))
    logbook.leaves[17] = b"rewritten"
    report = look(Shown(logbook, size))
    [finding] = report.findings
    assert finding.reason == "SPLIT_VIEW"
    assert finding.evidence is not None
    evidence = finding.evidence.read_bytes()
    assert verify_split_view(evidence, logbook.trust).verdict is Verdict.VALID
    assert verify_split_view(evidence, Trust()).verdict is Verdict.UNVERIFIABLE
    again = look(Shown(logbook, size))
    assert [finding.evidence for finding in again.findings] == [finding.evidence]


def test_entries_that_do_not_lead_to_the_root_are_read_once_more_and_then_told(
    logbook: Logbook, look: Look
) -> None:
    source = Shown(logbook, 300, spoil=lambda entries: [b"other", *entries[1:]])
    report = look(source)
    assert [finding.reason for finding in report.findings] == ["BAD_PROOF"]
    assert [tile.index for tile in source.asked] == [0, 1, 0, 1]
    assert look(Shown(logbook, 300)).result is Result.HOLDS


def test_damage_to_what_was_remembered_is_mended_from_the_log(
    logbook: Logbook, look: Look, tmp_path: Path
) -> None:
    look(Shown(logbook, 600))
    file = tmp_path / "state" / f"{UK}.entries"
    data = bytearray(file.read_bytes())
    data[5000] ^= 1
    file.write_bytes(data[:-7])
    assert look(Shown(logbook, 700)).result is Result.HOLDS
    assert file.stat().st_size == 700 * ROW_BYTES


def test_a_checkpoint_of_a_log_without_a_bundle_cannot_be_checked(
    logbook: Logbook, look: Look, signing_key: SigningKey
) -> None:
    report = look(Shown(Logbook(CA, signing_key), 4))
    assert (report.result, report.findings) == (Result.UNCHECKED, [])
    assert CA in report.problem


def test_a_checkpoint_by_another_key_of_the_same_name_cannot_be_checked(
    logbook: Logbook, look: Look
) -> None:
    other = Logbook(UK, logbook.key)
    assert look(Shown(other, 4)).result is Result.UNCHECKED


def test_a_checkpoint_with_a_bad_signature_contradicts(logbook: Logbook, look: Look) -> None:
    class Altered(Shown):
        async def checkpoint(self) -> bytes:
            return self.logbook.checkpoint(300).replace(b"\n300\n", b"\n301\n")

    report = look(Altered(logbook, 300))
    assert [finding.reason for finding in report.findings] == ["BAD_SIGNATURE"]


def test_a_size_beyond_all_reason_costs_nothing(logbook: Logbook, look: Look) -> None:
    class Huge(Shown):
        async def checkpoint(self) -> bytes:
            origin = self.logbook.signer.name
            huge = Checkpoint(origin, 2**53, bytes(32))
            return sign_checkpoint(huge, self.logbook.signer).to_bytes()

        async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
            raise AssertionError("nothing is to be fetched")

    report = look(Huge(logbook, 0))
    assert report.result is Result.UNCHECKED
    assert "MAX_MONITORED_ENTRIES" in report.problem


def test_two_monitors_do_not_look_at_one_log_at_once(tmp_path: Path) -> None:
    with opened(tmp_path, UK), pytest.raises(Conflict), opened(tmp_path, UK):
        pass


def test_hashes_of_remembered_entries_are_those_of_the_tree(
    logbook: Logbook, tmp_path: Path
) -> None:
    with opened(tmp_path, UK) as state:
        state.append(logbook.leaves)
        for size in (1, 2, 255, 1023, 1024, 1025, 2049, 3000):
            assert merkle.root(size, state.read) == merkle.root(size, logbook.read)


def test_the_digest_of_an_entry_is_read_in_its_one_spelling(logbook: Logbook) -> None:
    envelope = card().sign(logbook.issuer, logbook.key, NOW).envelope
    entry = log.leaf(envelope, logbook.key.key)
    assert len(digest_in(entry)) == 32
    assert digest_in(entry) != UNREADABLE
    for spoilt in (entry + b" ", entry[:-1], entry.replace(b"0.0.2", b"0.0.1"), b"", b"{}"):
        assert digest_in(spoilt) == UNREADABLE
