"""Measures the verification of one evidence file against the least that it can cost.

The floor is bare: the signatures (P-256 of the record, Ed25519 of the log and of two witnesses) and
one SHA-256 over every file. Figures are of a process that has started; the budget is 50 ms.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from comity.client.exports.checking import verify_path
from comity.client.exports.writing import export_record
from comity.client.verify.steps import Verdict
from comity.record.keys import SigningKey
from tests.bench.cards import draft
from tests.support.memory_log import NOW, MemoryLog

LEAVES = 20_000
ROUNDS = 100


def measure(root: Path, report: Callable[[str, float, float], None]) -> None:
    """Run the measurement; ``report`` takes a name, seconds, and the seconds of the floor."""
    memory_log = MemoryLog(
        "uk.aisi.example", SigningKey.generate(), "ca.aisi.example", "jp.aisi.example"
    )
    memory_log.leaves = [b"%d" % number for number in range(LEAVES)]
    opened = memory_log.append(draft(1))
    evidence = memory_log.evidence(opened)
    for name in ("evidence", "evidence.zip"):
        path = root / name
        export_record(opened, memory_log.key.key, path, evidence)
        report(f"verification of {name}", _verify(path, memory_log), _floor(root, memory_log))


def _verify(path: Path, memory_log: MemoryLog) -> float:
    trust = memory_log.trust

    def verify() -> None:
        if verify_path(path, trust, NOW).verdict is not Verdict.VALID:
            raise AssertionError("expected good evidence")

    return _median(verify)


def _floor(root: Path, memory_log: MemoryLog) -> float:
    files = [path.read_bytes() for path in (root / "evidence").rglob("*") if path.is_file()]
    message = bytes(1500)
    signature, record_key = memory_log.key.sign(message), memory_log.key.key
    signers = [memory_log.signer, *memory_log.witnesses.values()]
    notes = [(signer.verifier, signer.private.sign(message)) for signer in signers]

    def least() -> None:
        record_key.verify(signature, message)
        for verifier, made in notes:
            verifier.verify(made, message)
        for data in files:
            hashlib.sha256(data).digest()

    return _median(least)


def _median(work: Callable[[], None]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return median(seconds)
