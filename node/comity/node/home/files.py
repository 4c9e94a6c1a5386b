"""Replacing a file while other processes read it, and locking a folder against them.

Invariants: a file is replaced whole or not at all, and it is on disk when the call returns. Only
one thread of one process at a time holds the lock of a folder.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from comity.record.errors import BadConfig

_LOCK: Final = ".lock"


def replace_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace the content of ``path`` by ``data``, synced to disk.

    With the default ``mode`` only the owner may read the file.

    Raises:
        BadConfig: the folder cannot be written; the file is unchanged.
    """
    try:
        # a rename within one folder is atomic, so a reader finds the old file or the new one
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())

            Path(draft).replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(draft).unlink()
            raise

        _sync_folder(path.parent)
    except OSError as error:
        raise BadConfig(f"cannot be written: {error.strerror}", field=str(path)) from error


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


def _sync_folder(folder: Path) -> None:
    # a rename reaches the disk only with the folder that holds the name
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
