"""The nodes' processes: start them, wait for them, end them, also from another terminal.

``network.json`` in the demo's folder holds the process ids by institute (short); it also marks the
folder as ours. Invariants: a folder that does not bear the mark is never deleted; a process is
signalled only after its command line has been seen to name its home, so that a recycled process id
harms nobody.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from comity.record.errors import BadConfig, Unavailable
from demo.network import Member

MARK: Final = "network.json"
PATIENCE_SECONDS: Final = 300.0
"""How long to wait for anything: it only ends what hangs, since a busy machine takes minutes."""

_STOP_SECONDS: Final = 15.0
"""Longer than the grace that a node gives to calls in flight."""
POLL_SECONDS: Final = 0.1


def clear(folder: Path) -> None:
    """Make an empty demo folder, in place of one that an earlier demo left.

    Raises:
        BadConfig: its network still runs, or the folder is not a demo's.
    """
    mark = folder / MARK
    if folder.exists() and not mark.exists():
        raise BadConfig("exists and is not a demo's", field=str(folder), hint="move it away")
    if mark.exists():
        if _running(folder):
            raise BadConfig(
                "the network is up", field=str(folder), hint="end it with: make demo-stop"
            )
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    _write_mark(folder, {})


class Processes:
    """The running nodes. ``stop`` them, or leave them for ``stop_network``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, member: Member) -> None:
        """Start a node in a session of its own, so that only we and its operator end it."""
        command = Path(sys.executable).with_name("comity-node")
        with member.log.open("wb") as log:
            self._running[member.institute.short] = subprocess.Popen(  # noqa: S603
                [command, "--home", member.home.absolute(), "run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _write_mark(self._folder, {short: p.pid for short, p in self._running.items()})

    async def listening(self, member: Member) -> str:
        """Return an empty text once the node accepts connections; until then, what it does.

        Raises:
            Unavailable: the process has ended; quotes the end of its log.
        """
        code = self._running[member.institute.short].poll()
        if code is not None:
            end = member.log.read_text(errors="replace").strip()[-2000:]
            raise Unavailable(f"the node ended with code {code}:\n{end}", field=str(member.log))
        host, _, port = member.address.partition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            return f"{member.institute.id} does not listen yet"
        writer.close()
        return ""

    def stop(self) -> None:
        """End every node and wait for it."""
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running = {}
        _write_mark(self._folder, {})


def stop_network(folder: Path) -> list[str]:
    """End a network that was left up; return the institutes (short) whose nodes were ended."""
    running = _running(folder)
    _signal(running, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while (left := _running(folder)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    _signal(left, signal.SIGKILL)
    if folder.exists():
        _write_mark(folder, {})
    return [short for short, _ in running]


async def wait_until(condition: Callable[[], Awaitable[str]], seconds: float) -> None:
    """Ask again and again until ``condition`` returns an empty text.

    Raises:
        Unavailable: it did not within ``seconds``; says what was still missing.
    """
    deadline = time.monotonic() + seconds
    while missing := await condition():
        if time.monotonic() > deadline:
            raise Unavailable(f"waited {seconds:.0f} s, and still: {missing}")
        await asyncio.sleep(POLL_SECONDS)


def _signal(processes: list[tuple[str, int]], number: signal.Signals) -> None:
    for _, pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _running(folder: Path) -> list[tuple[str, int]]:
    mark = folder / MARK
    pids: dict[str, int] = json.loads(mark.read_text()) if mark.exists() else {}
    return [
        (short, pid)
        for short, pid in pids.items()
        if str((folder / short / "home").absolute()) in _command_line(pid)
    ]


def _command_line(pid: int) -> str:
    if Path("/proc/self/cmdline").exists():
        file = Path(f"/proc/{pid}/cmdline")
        return file.read_bytes().decode(errors="replace") if file.exists() else ""
    found = subprocess.run(  # noqa: S603
        ["ps", "-ww", "-o", "command=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        check=False,
    )
    return found.stdout.decode(errors="replace")


def _write_mark(folder: Path, pids: dict[str, int]) -> None:
    (folder / MARK).write_text(json.dumps(pids) + "\n")
