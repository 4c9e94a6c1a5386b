"""The network on this machine: a home and a process for each institute, below ``.demo/``.

    network.json              process ids; also marks the folder as ours
    <short>/home/             the node's home: settings, keys, SQLite file
    <short>/node.log          what the node said
    profiles/<short>-<role>.json
    audit/                    what the auditor exported

Invariants: a folder that does not bear the mark is never deleted; a process is only ever signalled
after its command line has been seen to name its home, so that a recycled process id harms nobody.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from comity.node.home import Home
from comity.node.node import Node
from comity.node.peers import add_peer, set_status
from comity.node.settings import FILE as SETTINGS_FILE
from comity.record.bundle import TrustBundle
from comity.record.errors import BadConfig, Unavailable
from comity.record.spiffe import Role
from demo import terms
from demo.institutes import INSTITUTES, Institute

FOLDER: Final = Path(".demo")
PEOPLE: Final = {Role.OPERATOR: "olga", Role.ANALYST: "ada", Role.AUDITOR: "noor"}
START_SECONDS: Final = 40.0
"""How long eleven processes may take to start: each needs about a second of one core."""

_STOP_SECONDS: Final = 15.0
"""Longer than the grace that a node gives to calls in flight."""
_POLL_SECONDS: Final = 0.1
_RETRY: Final = ("retry_max_seconds = 60", "retry_max_seconds = 2")
"""All nodes start together: whoever finds a peer not yet up should not wait for long."""


@dataclass(frozen=True, slots=True)
class Member:
    """One institute's place on this machine."""

    institute: Institute
    folder: Path
    address: str

    @property
    def home(self) -> Path:
        """Folder of the node's home."""
        return self.folder / self.institute.short / "home"

    @property
    def log(self) -> Path:
        """File that the node's output goes to."""
        return self.folder / self.institute.short / "node.log"

    def open_home(self) -> Home:
        """Return the node's home."""
        return Home(self.home)

    def profile(self, role: Role) -> Path:
        """File of a person's profile."""
        return self.folder / "profiles" / f"{self.institute.short}-{role}.json"


def clear(folder: Path) -> None:
    """Make an empty demo folder, in place of one that an earlier demo left.

    Raises:
        BadConfig: its network still runs, or the folder is not a demo's.
    """
    mark = folder / "network.json"
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


def make_members(folder: Path) -> list[Member]:
    """Choose an address for each institute: free ports of the loopback interface."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in INSTITUTES]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
    return [
        Member(institute, folder, f"127.0.0.1:{port}")
        for institute, port in zip(INSTITUTES, ports, strict=True)
    ]


def make_home(member: Member) -> None:
    """Make a home with keys, and a profile for each of the institute's people."""
    member.home.parent.mkdir(mode=0o700)
    member.profile(Role.OPERATOR).parent.mkdir(mode=0o700, exist_ok=True)
    home = Home.create(
        member.home,
        institute=member.institute.id,
        names=member.institute.names,
        address=member.address,
        listen=member.address,
    )
    settings = member.home / SETTINGS_FILE
    settings.write_text(settings.read_text().replace(*_RETRY))
    for role, name in PEOPLE.items():
        home.grant(role, name).save(member.profile(role))


def introduce(member: Member, bundles: Sequence[TrustBundle]) -> Node:
    """Set a node's policy and pin the others' bundles, on the terms that were agreed.

    Returns the opened node, for the caller to publish with, and to close.
    """
    node = Node(member.open_home())
    node.set_policy(terms.policy_text(node.institute))
    with node.store.write() as session:
        for bundle in bundles:
            if bundle.institute != node.institute:
                bound = terms.purposes(bundle.institute)
                own, now = node.institute, node.clock()
                add_peer(session, bundle, now, own_institute=own, purposes=bound)
                set_status(session, bundle.institute, terms.status(own, bundle.institute))
    return node


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
        time.sleep(_POLL_SECONDS)
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
        await asyncio.sleep(_POLL_SECONDS)


def _signal(processes: list[tuple[str, int]], number: signal.Signals) -> None:
    for _, pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _running(folder: Path) -> list[tuple[str, int]]:
    mark = folder / "network.json"
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
    (folder / "network.json").write_text(json.dumps(pids) + "\n")
