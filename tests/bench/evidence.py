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
from tests.support.logbook import NOW, Logbook

LEAVES = 20_000
ROUNDS = 100


def measure(root: Path, report: Callable[[str, float, float], None]) -> None:
    """Run the measurement; ``report`` takes a name, seconds, and the seconds of the floor."""
    logbook = Logbook(
        "uk.aisi.example", SigningKey.generate(), "ca.aisi.example", "jp.aisi.example"
    )
    logbook.leaves = [b"%d" % number for number in range(LEAVES)]
    opened = logbook.append(draft(1))
    evidence = logbook.evidence(opened)
    for name in ("evidence", "evidence.zip"):
        path = root / name
        export_record(opened, logbook.key.key, path, evidence)
        report(f"verification of {name}", _verify(path, logbook), _floor(root, logbook))


def _verify(path: Path, logbook: Logbook) -> float:
    trust = logbook.trust

    def verify() -> None:
        if verify_path(path, trust, NOW).verdict is not Verdict.VALID:
            raise AssertionError("expected good evidence")

    return _median(verify)


def _floor(root: Path, logbook: Logbook) -> float:
    files = [path.read_bytes() for path in (root / "evidence").rglob("*") if path.is_file()]
    message = bytes(1500)
    signature, record_key = logbook.key.sign(message), logbook.key.key
    signers = [logbook.signer, *logbook.witnesses.values()]
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
