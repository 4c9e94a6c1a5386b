"""Measures the log: ratios to bare SQLite, and to the same with fewer leaves.

append    leaves into the tree, in batches of 256, each batch on disk and a checkpoint signed every
second as a running node does it, against bare inserts of the same rows by the driver alone
proof     inclusion and consistency with many leaves, against few
"""

from __future__ import annotations

import os
import random
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import median

from comity.node.log import tree
from comity.node.log.proofs import prove_consistency, prove_inclusion
from comity.node.node import Node
from tests.support.network import make_home

LEAVES = int(os.environ.get("COMITY_BENCH_LEAVES", "1000000"))
FEW = 1000
APPENDED = 51_200
BATCH = 256
LEAF_BYTES = 560
"""As long as a record's leaf."""

PROOFS = 300
SIGNING_SECONDS = 1.0


def measure(root: Path, report: Callable[[str, float, float], None]) -> None:
    """Run every measurement; ``report`` takes a name, a rate, and the rate of its floor."""
    with closing(_bare(root / "bare.db")) as bare, closing(_node(root / "append")) as node:
        appending, inserting = _appends(node, bare)
        report("appends with inclusion, batches of 256", APPENDED / appending, APPENDED / inserting)
    with closing(_node(root / "short")) as few, closing(_node(root / "long")) as many:
        _fill(few, FEW)
        _fill(many, LEAVES)
        for name, prove in (("inclusion", _prove_inclusion), ("consistency", _prove_consistency)):
            slow, fast = _proofs(prove, many, few)
            report(f"{name} proofs, {LEAVES:,} leaves against {FEW:,}", 1 / slow, 1 / fast)


def _node(root: Path) -> Node:
    return Node(make_home(root, "log.example"))


def _batches(first: int, count: int) -> Iterator[list[tree.Entry]]:
    for start in range(first, first + count, BATCH):
        yield [
            tree.Entry(f"{start + i:064x}", secrets.token_bytes(LEAF_BYTES)) for i in range(BATCH)
        ]


def _bare(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    columns = "log_index INTEGER PRIMARY KEY, record_id VARCHAR(64) UNIQUE, leaf BLOB"
    connection.execute(f"CREATE TABLE log_entry ({columns})")
    return connection


def _appends(node: Node, bare: sqlite3.Connection) -> tuple[float, float]:
    """Return seconds of both; batches take turns, so that whatever else runs slows both alike."""
    appending = inserting = signed = 0.0
    for number, batch in enumerate(_batches(0, APPENDED)):
        rows = [(number * BATCH + i, *entry) for i, entry in enumerate(batch)]
        start = time.perf_counter()
        bare.execute("BEGIN IMMEDIATE")
        bare.executemany("INSERT INTO log_entry VALUES (?, ?, ?)", rows)
        bare.execute("COMMIT")
        middle = time.perf_counter()
        with node.store.write() as session:
            tree.append(session, batch)
        if appending - signed >= SIGNING_SECONDS:
            node.signer.sign()
            signed = appending
        inserting += middle - start
        appending += time.perf_counter() - middle
    return appending, inserting


def _fill(node: Node, count: int) -> None:
    with node.store.write() as session:
        for batch in _batches(0, count - count % BATCH):
            tree.append(session, batch)
        tree.append(session, next(_batches(count - count % BATCH, BATCH))[: count % BATCH])
    node.signer.sign()


def _prove_inclusion(node: Node, index: int, size: int) -> None:
    with node.store.read() as session:
        prove_inclusion(session, f"{index:064x}")


def _prove_consistency(node: Node, index: int, size: int) -> None:
    with node.store.read() as session:
        prove_consistency(session, index, size)


def _proofs(prove: Callable[[Node, int, int], None], many: Node, few: Node) -> tuple[float, float]:
    """Return the median seconds of each, at random places; they take turns, as above."""
    chance = random.Random(1)
    times: dict[int, list[float]] = {LEAVES: [], FEW: []}
    for _ in range(PROOFS):
        for node, size in ((many, LEAVES), (few, FEW)):
            index = chance.randrange(1, size)
            start = time.perf_counter()
            prove(node, index, size)
            times[size].append(time.perf_counter() - start)
    return median(times[LEAVES]), median(times[FEW])
