"""Files that are replaced, such as those of a home while the node runs.

Invariants: such a file is replaced whole or not at all, and is on disk when the call
returns; processes that share the folder take turns.
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
    """Put ``data`` in place of what ``path`` held, synced to disk; by default it is a secret.

    Raises:
        BadConfig: the folder cannot be written; the file is as it was.
    """
    try:
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
    """Wait until no other thread or process is in here for the same folder.

    The kernel ends the turn of a process that dies.

    Raises:
        BadConfig: the folder cannot be written.
        BlockingIOError: another is in here, and ``wait`` is false.
    """
    try:
        # a file of its own, since network file systems do not lock folders
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
    # a rename is on disk once its folder is
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
