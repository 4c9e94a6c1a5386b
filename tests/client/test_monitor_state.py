"""What a monitor remembers between two looks: where it was, and what was damaged since."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from comity.client.monitor.report import LookResult
from comity.client.monitor.state import ROW_BYTES, UNREADABLE, digest_in, opened
from comity.record import log, merkle
from comity.record.errors import Conflict
from tests.support.drafts import card
from tests.support.memory_log import NOW, MemoryLog
from tests.support.shown_log import Look, ShownLog

UK = "uk.aisi.example"


def test_an_interrupted_look_goes_on_where_it_was(long_log: MemoryLog, look: Look) -> None:
    report = look(ShownLog(long_log, 2500, fails_after=8))
    assert (report.result, report.problem) == (LookResult.UNCHECKED, "the line was cut")
    source = ShownLog(long_log, 3000)
    report = look(source)
    assert (report.result, report.before) == (LookResult.HOLDS, 0)
    assert source.asked[0].index == 8


def test_damage_to_what_was_remembered_is_mended_from_the_log(
    long_log: MemoryLog, look: Look, tmp_path: Path
) -> None:
    look(ShownLog(long_log, 600))
    file = tmp_path / "state" / f"{UK}.entries"
    data = bytearray(file.read_bytes())
    data[5000] ^= 1
    file.write_bytes(data[:-7])
    assert look(ShownLog(long_log, 700)).result is LookResult.HOLDS
    assert file.stat().st_size == 700 * ROW_BYTES


def test_two_monitors_do_not_look_at_one_log_at_once(tmp_path: Path) -> None:
    with opened(tmp_path, UK), pytest.raises(Conflict), opened(tmp_path, UK):
        pass


def test_hashes_of_remembered_entries_are_those_of_the_tree(
    long_log: MemoryLog, tmp_path: Path
) -> None:
    with opened(tmp_path, UK) as state:
        state.append(long_log.leaves)
        for size in (1, 2, 255, 1023, 1024, 1025, 2049, 3000):
            assert merkle.root(size, state.read) == merkle.root(size, long_log.read)


def test_the_digest_of_an_entry_is_read_in_its_one_spelling(long_log: MemoryLog) -> None:
    envelope = card().sign(long_log.issuer, long_log.key, NOW).envelope
    entry = log.leaf(envelope, long_log.key.key)
    assert len(digest_in(entry)) == 32
    assert digest_in(entry) != UNREADABLE
    for spoilt in (entry + b" ", entry[:-1], entry.replace(b"0.0.2", b"0.0.1"), b"", b"{}"):
        assert digest_in(spoilt) == UNREADABLE


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data.replace(b"600", b"900")])
def test_a_damaged_memory_is_named_and_not_blamed_on_the_log(
    long_log: MemoryLog, look: Look, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    look(ShownLog(long_log, 600))
    file = tmp_path / "state" / f"{UK}.checkpoint"
    file.write_bytes(damage(file.read_bytes()))
    report = look(ShownLog(long_log, 700))
    assert report.result is LookResult.UNCHECKED
    assert str(file) in report.problem


def test_what_a_monitor_remembers_is_its_owners(
    long_log: MemoryLog, look: Look, tmp_path: Path
) -> None:
    look(ShownLog(long_log, 600))
    folder = tmp_path / "state"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
