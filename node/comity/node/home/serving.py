"""Which processes serve a home: one file for each, locked for as long as the process lives.

    state/serving/4711.json   {"process": 4711, "since": "2026-…", "address": "0.0.0.0:7000", …}

Invariant: a process that died, however it died, does not count as serving, since the kernel lets go
of its lock.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from comity.record.errors import BadConfig

FOLDER: Final = "serving"


@dataclass(frozen=True, slots=True)
class ServingProcess:
    """A process that serves: its number, since when (RFC 3339, UTC), and the ports it bound.

    Addresses are ``host:port``; ``log_address`` is that of the HTTP port, empty if there is none.
    """

    process: int
    since: str
    address: str
    log_address: str


@contextmanager
def announced(state: Path, serving: ServingProcess) -> Iterator[None]:
    """Let ``serving_processes`` find this process while the context is open.

    Raises:
        BadConfig: the folder of state cannot be written.
    """
    folder = state / FOLDER
    file = folder / f"{serving.process}.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadConfig(f"cannot be written: {error.strerror}", field=str(file)) from error

    try:
        # locked before it is written, so that no reader takes half a file for a process
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, json.dumps(asdict(serving)).encode())
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)


def serving_processes(state: Path) -> list[ServingProcess]:
    """Return the processes that serve the home now, the oldest first."""
    found = []
    for file in (state / FOLDER).glob("*.json"):
        with suppress(FileNotFoundError), file.open() as opened:
            if _is_locked(opened.fileno()):
                found.append(ServingProcess(**json.load(opened)))
    return sorted(found, key=lambda process: (process.since, process.process))


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
