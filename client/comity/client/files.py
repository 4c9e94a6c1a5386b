"""Files that a person names: read within a limit, written without overwriting or replaced whole.

Invariants: every error about a file names the file; it is a BadConfig or a LimitExceeded. Only
regular files are read, so that no pipe is waited for. What is written can be read by its owner
alone; a file is replaced whole or not at all, and is then on disk.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from comity.record.errors import BadConfig, ComityError, InvalidInput
from comity.record.limits import MAX_RECORD_BYTES, Limit
from comity.record.record import Record

RECORD_SUFFIX: Final = ".record.json"
BUNDLE_SUFFIX: Final = ".bundle.json"
ROOT_SUFFIX: Final = ".root.json"
DRAFT_SUFFIXES: Final = frozenset({".yaml", ".yml"})

MAX_RECORD_FILE_BYTES: Final = Limit("MAX_RECORD_FILE_BYTES", 2 * MAX_RECORD_BYTES, "bytes")
"""A record file holds the payload as base64, which adds a third."""

MAX_DRAFT_BYTES: Final = Limit("MAX_DRAFT_BYTES", 2 * MAX_RECORD_BYTES, "bytes")
"""A draft says what the record says, in YAML with comments."""

_SIGN: Final = "comity sign --key KEY --issuer SPIFFE-ID"


def read_file(path: Path, limit: Limit, used: int = 0) -> bytes:
    """Return a file's bytes; other files have ``used`` so many bytes of the limit already.

    Raises:
        BadConfig: missing or unreadable.
        LimitExceeded: the bytes come to more than ``limit``.
    """
    try:
        # without O_NONBLOCK, to open a pipe would wait for a writer
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                message = "expected a regular file, got a folder, pipe or device"
                raise BadConfig(message, field=str(path))
            # one byte too many tells enough, and costs bounded memory (invariant 10)
            data = file.read(limit - used + 1)
            size = max(len(data), found.st_size)
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(path)) from error
    limit.check(used + size, str(path))
    return data


def write_file(path: Path, data: bytes, hint: str = "") -> None:
    """Write a new file; ``hint`` goes with the error if there is one already.

    Raises:
        BadConfig: it exists already, or cannot be written.
    """
    try:
        # x looks and makes in one step, so that no other process's file is lost in between
        # restricted records land in such files, and most people's umask lets everyone read
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(data)
    except FileExistsError as error:
        message = "exists already and is not overwritten"
        raise BadConfig(message, field=str(path), hint=hint) from error
    except OSError as error:
        raise BadConfig(f"cannot be written: {error.strerror}", field=str(path)) from error


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

        sync_folder(path.parent)
    except OSError as error:
        raise BadConfig(f"cannot be written: {error.strerror}", field=str(path)) from error


def make_folder(path: Path) -> None:
    """Make a folder and its parents, unless it exists.

    Raises:
        BadConfig: it cannot be made, for example because a file has its name.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadConfig(f"cannot be made: {error.strerror}", field=str(path)) from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before the field of any error that is raised inside."""
    try:
        yield
    except ComityError as error:
        error.field = f"{path}: {error.field}" if error.field else str(path)
        # str(error) is made of args, which were set when it was raised
        error.args = (f"{error.field}: {error.message}",)
        raise


def load_record(path: Path) -> Record:
    """Read a record file or a bare DSSE envelope; nothing is verified yet.

    The error about a draft carries a hint how to sign it.

    Raises:
        BadConfig: missing or unreadable.
        LimitExceeded, MalformedJson, MalformedEnvelope: names the file.
    """
    data = read_file(path, MAX_RECORD_FILE_BYTES)
    with naming(path):
        try:
            return Record.from_json(data)
        except InvalidInput as error:
            if path.suffix in DRAFT_SUFFIXES:
                error.hint = error.hint or f"if it is a draft: {_SIGN} {path}"
            raise


def sync_folder(folder: Path) -> None:
    """Bring a rename in a folder to the disk, which needs the folder that holds the name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
