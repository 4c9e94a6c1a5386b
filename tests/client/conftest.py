"""Logs, evidence and monitors that tests of the client share."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from comity.client.monitor.look import Monitor
from comity.client.monitor.report import Report
from comity.client.monitor.sources import LogSource
from comity.record.keys import SigningKey
from tests.support.memory_log import NOW, MemoryLog
from tests.support.shown_log import Look
from tests.support.verification import evidence_in

UK, CA, JP = (f"{name}.aisi.example" for name in ("uk", "ca", "jp"))


@pytest.fixture
def memory_log(signing_key: SigningKey) -> MemoryLog:
    """Return a log of uk whose checkpoints ca and jp cosign."""
    return MemoryLog(UK, signing_key, CA, JP)


@pytest.fixture
def evidence(memory_log: MemoryLog, tmp_path: Path) -> Path:
    """Return a folder with the evidence of a record in the log."""
    return evidence_in(tmp_path / "evidence", memory_log)


@pytest.fixture
def long_log(signing_key: SigningKey) -> MemoryLog:
    """Return a log of uk with 3000 entries, whose checkpoints ca cosigns."""
    log = MemoryLog(UK, signing_key, CA)
    log.leaves = [b"entry %d" % number for number in range(3000)]
    return log


@pytest.fixture
def look(long_log: MemoryLog, tmp_path: Path) -> Look:
    """Return a function that looks at a log and remembers what it saw before."""

    def once(source: LogSource) -> Report:
        monitor = Monitor(long_log.trust, tmp_path / "state", None, NOW)
        return asyncio.run(monitor.look("the log", source, lambda done, total: None))

    return once
