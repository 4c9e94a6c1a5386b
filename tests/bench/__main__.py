"""Measures intake and replication against bare signature checks.

    floor         P-256 verifications a second, on one core, of the very cards that are used
    intake        signed 4 KB cards through the whole door into SQLite, on one core, in batches
    replication   cards from one node process to another over mutual TLS, policy in force
    log           see ``tests.bench.log``
    release       see ``tests.bench.release``
    idle          see ``tests.bench.idle``
    startup       see ``tests.bench.startup``

Figures are ratios to the floor of the same run. Peak memory is each node process's own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from sqlalchemy import func
from sqlmodel import select

from comity.node.database.tables import PeerRow, RecordRow
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.node.server.process import tune_garbage_collection
from comity.policies.preset import load_preset
from comity.record.limits import MAX_BATCH_RECORDS
from comity.record.record import Record
from tests.bench import evidence, idle, log, release, startup
from tests.bench.cards import signed, size
from tests.support.network import make_home

CARDS = int(os.environ.get("COMITY_BENCH_CARDS", "20000"))
PUBLISHED_AT_ONCE = 256
DEADLINE_SECONDS = 600

console = Console(soft_wrap=True)


def main() -> None:
    """Run every measurement and print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        sender, receiver = (Node(make_home(root, f"{n}.aisi.example")) for n in "ab")
        sender.add_peer(receiver.bundle)
        receiver.add_peer(sender.bundle)
        sender.set_policy(load_preset("open"))
        console.print(f"signing {CARDS} cards…")
        records = list(signed(CARDS, sender.home.node_id, sender.key))
        console.print(f"a card is {sum(map(size, records)) // len(records)} bytes")
        tune_garbage_collection()
        floor = _floor(sender, records)
        _report("floor: bare P-256 verification", floor, floor)
        _report("intake, one core", _intake(root, sender, records), floor)
        for start in range(0, len(records), PUBLISHED_AT_ONCE):
            sender.publish_all(records[start : start + PUBLISHED_AT_ONCE])
        del records
        sender.close()
        rate, peaks = _replicate(sender.home, receiver)
        _report("replication, two processes", rate, floor)
        for name, peak in peaks.items():
            console.print(f"peak memory of the {name}: {peak} MiB")
        log.measure(root, _report_log)
        evidence.measure(root, _report_milliseconds)
        release.measure(root, _report_release)
        startup.measure(_report_milliseconds)
        idle.measure(root, _report_idle)


def _rate(count: int, work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def _report(name: str, rate: float, floor: float) -> None:
    console.print(f"{name:<34} {rate:>8.0f}/s  {rate / floor:>6.1%} of the floor")


def _report_log(name: str, rate: float, floor: float) -> None:
    console.print(f"{name:<52} {rate:>8.0f}/s  {rate / floor:>6.1%}")


def _report_milliseconds(name: str, seconds: float, floor: float) -> None:
    console.print(f"{name:<52} {seconds * 1000:>7.1f} ms {seconds / floor:>5.1f} times the floor")


def _report_release(name: str, seconds: float, floor: float) -> None:
    console.print(f"{name:<52} {seconds:>7.2f} s  {seconds / floor:>5.2f} times the floor")


def _report_idle(name: str, share: float, seconds: float) -> None:
    console.print(f"{name:<52} {share:>7.2%} of a core, then cosigned in {seconds:.2f} s")


def _floor(node: Node, records: Sequence[Record]) -> float:
    key, some = node.key.key, records[:5000]

    def verify() -> None:
        for record in some:
            record.envelope.verify(key)

    return _rate(len(some), verify)


def _intake(root: Path, sender: Node, records: Sequence[Record]) -> float:
    node = Node(make_home(root, "c.aisi.example"))
    node.add_peer(sender.bundle)
    keyring = node.keyring()
    some = records[:10_000]

    def take() -> None:
        for start in range(0, len(some), MAX_BATCH_RECORDS):
            batch = some[start : start + MAX_BATCH_RECORDS]
            arrivals = [node.examiner.examine(r, sender.institute, keyring) for r in batch]
            with node.store.write() as session:
                node.intake.admit(session, arrivals)

    try:
        return _rate(len(some), take)
    finally:
        node.close()


def _replicate(sender: Home, receiver: Node) -> tuple[float, dict[str, int]]:
    processes = {"sender": _serve(sender), "receiver": _serve(receiver.home)}
    try:
        start = _when(lambda: _held(receiver) > 0)
        first = _held(receiver)
        end = _when(lambda: _held(receiver) >= CARDS)
        _when(lambda: _receipted(receiver.institute, sender))
        peaks = {name: _peak_mib(process.pid) for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()
        receiver.close()
    return (CARDS - first) / (end - start), peaks


def _serve(home: Home) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "comity.node", "--home", str(home.path), "run"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def _when(condition: Callable[[], bool]) -> float:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing happened for {DEADLINE_SECONDS} s")
        time.sleep(0.01)
    return time.perf_counter()


def _held(node: Node) -> int:
    with node.store.read() as session:
        return session.exec(select(func.max(RecordRow.record_seq))).one() or 0


def _receipted(receiver: str, sender: Home) -> bool:
    node = Node(sender)
    try:
        with node.store.read() as session:
            row = session.get_one(PeerRow, receiver)
            return row.receipted == row.offered
    finally:
        node.close()


def _peak_mib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise ValueError("no VmHWM")


if __name__ == "__main__":
    main()
