"""Measures what a node costs while nothing happens, and how soon it acts once something does.

idle        processor time of a node process whose peers are connected, as a share of one core; it
            pulls from each peer, and each peer from it
cosigned    from a publish by another process until every peer has cosigned the new checkpoint

The peers are real nodes, all in one other process: ``python -m tests.bench.idle FOLDER HOME …``.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from sqlalchemy import func
from sqlmodel import select
from sqlmodel.sql.expression import SelectOfScalar

from comity.node.database.tables import CosignatureRow
from comity.node.home.folder import Home
from comity.node.log.tree import tree_size
from comity.node.node import Node
from comity.policies.preset import load_preset
from comity.record.record import Record
from tests.support.drafts import card
from tests.support.network import make_home, serving

PEERS = tuple(int(n) for n in os.environ.get("COMITY_BENCH_PEERS", "10,100").split(","))
WINDOW_SECONDS = float(os.environ.get("COMITY_BENCH_IDLE_SECONDS", "60"))
SETTLING_SECONDS = 10
DEADLINE_SECONDS = 600

Report = Callable[[str, float, float], None]


def measure(root: Path, report: Report) -> None:
    """Run every measurement; ``report`` takes a name, a share of a core, and seconds."""
    for count in PEERS:
        homes = _homes(root / f"idle-{count}", count)
        with _running(homes) as pid:
            node = Node(homes[0])
            try:
                _cosigned(node, count)
                time.sleep(SETTLING_SECONDS)
                share = _share_of_a_core(pid)
                node.publish(_card(node))
                start = time.perf_counter()
                _cosigned(node, count)
                report(f"idle with {count} peers", share, time.perf_counter() - start)
            finally:
                node.close()


def _homes(root: Path, count: int) -> list[Home]:
    """Make a home, and as many others of which each has only the first as its peer."""
    names = ["hub.example", *(f"peer{n}.example" for n in range(count))]
    homes = [_default_pace(make_home(root, name, heartbeat_seconds=10)) for name in names]
    hub = Node(homes[0])
    for home in homes[1:]:
        node = Node(home)
        node.add_peer(hub.bundle)
        hub.add_peer(node.bundle)
        node.publish(_card(node))
        node.close()
    hub.set_policy(load_preset("open"))
    hub.publish(_card(hub))
    hub.close()
    return homes


def _default_pace(home: Home) -> Home:
    """Undo the haste of tests: peers that are not up yet are called as seldom as by any node."""
    file = home.path / "comity.toml"
    file.write_text(file.read_text().replace("retry_max_seconds = 1", "retry_max_seconds = 60"))
    return Home(home.path)


def _card(node: Node) -> Record:
    return card(f"model-{time.time_ns()}").sign(node.home.node_id, node.key)


@contextmanager
def _running(homes: list[Home]) -> Iterator[int]:
    """Serve the first home in one process, and the others in a second; yield the first's id."""
    hub, *others = (str(home.path) for home in homes)
    commands = (["comity.node", "--home", hub, "run"], ["tests.bench.idle", *others])
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for words in commands
    ]
    try:
        yield processes[0].pid
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _cosigned(node: Node, count: int) -> None:
    """Wait until every peer has cosigned the checkpoint of all that is in the log."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    query = select(func.count()).where(CosignatureRow.size == _leaves(node))
    while _read(node, query) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"not cosigned for {DEADLINE_SECONDS} s")
        time.sleep(0.02)


def _leaves(node: Node) -> int:
    with node.store.read() as session:
        return tree_size(session)


def _read(node: Node, query: SelectOfScalar[int]) -> int:
    with node.store.read() as session:
        return session.exec(query).one()


def _share_of_a_core(pid: int) -> float:
    start, before = time.perf_counter(), _processor_seconds(pid)
    time.sleep(WINDOW_SECONDS)
    return (_processor_seconds(pid) - before) / (time.perf_counter() - start)


def _processor_seconds(pid: int) -> float:
    # proc(5): the name in parentheses may hold spaces; utime and stime are fields 14 and 15
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _serve(paths: list[str]) -> None:
    async with AsyncExitStack() as stack:
        for path in paths:
            await stack.enter_async_context(serving(Home(Path(path))))
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
