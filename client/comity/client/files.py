"""Files that a person names: read within a limit, written without overwriting.

Invariant: whatever is wrong with a file is a BadConfig or LimitExceeded that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from comity.record.bundle import TrustBundle
from comity.record.errors import (
    BadConfig,
    ComityError,
    Conflict,
    LimitExceeded,
)
from comity.record.limits import MAX_BUNDLE_BYTES, MAX_RECORD_BYTES
from comity.record.record import Record

RECORD_SUFFIX: Final = ".record.json"
BUNDLE_SUFFIX: Final = ".bundle.json"

MAX_RECORD_FILE_BYTES: Final = 2 * MAX_RECORD_BYTES
"""A record file holds the payload as base64, which adds a third."""

MAX_DRAFT_BYTES: Final = 2 * MAX_RECORD_BYTES
"""A draft says what the record says, in YAML with comments."""


def read_file(path: Path, limit: str, maximum: int) -> bytes:
    """Return a file's bytes; ``limit`` is the name of the limit ``maximum``.

    Raises:
        BadConfig: missing or unreadable.
        LimitExceeded: more than ``maximum`` bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(maximum + 1)
            size = max(len(data), path.stat().st_size)
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(path)) from error
    if len(data) > maximum:
        raise LimitExceeded(limit, maximum, size, "bytes", field=str(path))
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a new file.

    Raises:
        BadConfig: it exists already, or cannot be written.
    """
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise BadConfig("exists already and is not overwritten", field=str(path)) from error
    except OSError as error:
        raise BadConfig(f"cannot be written: {error.strerror}", field=str(path)) from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before the field of any error that is raised inside."""
    try:
        yield
    except ComityError as error:
        error.field = f"{path}: {error.field}" if error.field else str(path)
        error.args = (f"{error.field}: {error.message}",)
        raise


def load_record(path: Path) -> Record:
    """Read a record file or a bare DSSE envelope; nothing is verified yet.

    Raises:
        BadConfig: missing or unreadable.
        LimitExceeded, MalformedJson, MalformedEnvelope: names the file.
    """
    data = read_file(path, "MAX_RECORD_FILE_BYTES", MAX_RECORD_FILE_BYTES)
    with naming(path):
        return Record.from_json(data)


def load_bundles(paths: Iterable[Path]) -> list[TrustBundle]:
    """Read trust bundles from files and from folders of ``*.bundle.json``.

    Raises:
        BadConfig: missing or unreadable, or a folder without bundles.
        LimitExceeded, MalformedJson, BadBundle: not a trust bundle.
        Conflict: two different bundles of one institute.
    """
    found: dict[str, TrustBundle] = {}
    for path in (file for given in paths for file in _bundle_files(given)):
        data = read_file(path, "MAX_BUNDLE_BYTES", MAX_BUNDLE_BYTES)
        with naming(path):
            bundle = TrustBundle.from_json(data)
        other = found.setdefault(bundle.institute, bundle)
        if other.fingerprint != bundle.fingerprint:
            message = f"expected one bundle of {bundle.institute}, got two that differ"
            raise Conflict(message, field=str(path))
    return list(found.values())


def _bundle_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(path.glob(f"*{BUNDLE_SUFFIX}"))
    if not files:
        raise BadConfig(f"expected *{BUNDLE_SUFFIX} files in it, got none", field=str(path))
    return files
