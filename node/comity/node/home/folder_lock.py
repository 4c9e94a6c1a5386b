"""Locking a folder against other processes.

Invariant: only one thread of one process at a time holds the lock of a folder.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from comity.record.errors import BadConfig

_LOCK: Final = ".lock"


@contextmanager
def lock_folder(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a folder; wait while another thread or process holds it.

    The kernel releases the lock of a process that dies.

    Raises:
        BadConfig: the folder cannot be written.
        BlockingIOError: the lock is held, and ``wait`` is false.
    """
    try:
        # the lock is on a separate file, since network file systems cannot lock folders
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
    except BlockingIOError:
        raise
    except OSError as error:
        raise BadConfig(f"cannot be locked: {error.strerror}", field=str(folder)) from error

    try:
        yield
    finally:
        os.close(descriptor)
