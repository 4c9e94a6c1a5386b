"""Processes that are started for a check, and ended with it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from comity.record.errors import Unavailable

_START_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.05


@contextmanager
def running(
    command: Sequence[str | Path], log: Path, is_ready: Callable[[], bool]
) -> Iterator[None]:
    """Run a command while the block runs, which begins once it is ready.

    Raises:
        Unavailable: it did not become ready in time, or ended; quotes ``log``, where it writes to.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                message = f"did not start: {log.read_text(errors='replace')[-1000:]}"
                raise Unavailable(message, field=str(command[0]))
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    """Say whether anything accepts connections on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
