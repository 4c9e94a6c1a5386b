"""The memory of a monitor between two looks at a log, in a folder for all logs.

    <institute>.checkpoint             the newest checkpoint that held, a signed note
    <institute>.entries                64 bytes an entry, in order: its leaf hash (RFC 6962, section
                                       2.1), and the digest in it (SHA-256 of the signed bytes;
                                       zeros if the entry is no hashedrekord)
    <institute>.<digest>.split-view.json    evidence that the log contradicted itself

A log that took the place of another one has its own name there instead of the institute's.

Invariants:

- The entries up to the checkpoint's size lead to its root. Later ones were fetched and not yet
  checked, so an interrupted fetch goes on where it was.
- One monitor at a time looks at a log.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from comity.client.files import read_file, replace_file
from comity.record.checkpoint import open_checkpoint
from comity.record.errors import BadConfig, Conflict, InvalidInput, UnknownKey
from comity.record.limits import MAX_NOTE_BYTES, Limit
from comity.record.log import origin
from comity.record.merkle import HASH_BYTES, Node, leaf_hash, node_hash
from comity.record.note import Verifier

MAX_MONITORED_ENTRIES: Final = Limit("MAX_MONITORED_ENTRIES", 1 << 26, "entries")
"""Entries of one log: 4 GiB on disk, and more records than all institutes together write."""

ROW_BYTES: Final = 2 * HASH_BYTES
UNREADABLE: Final = bytes(HASH_BYTES)
"""Digest of an entry that is no hashedrekord."""

_SPAN_LEVEL: Final = 10
"""Subtrees of 2**10 leaves are hashed at a time, and their hashes are kept in memory."""

_DIGEST_CHARS: Final = 12
"""Hex digits of the evidence's SHA-256 in the name of its file."""

_LEAF: Final = re.compile(
    rb'\{"apiVersion":"0\.0\.2","kind":"hashedrekord","spec":\{"hashedRekordV002":\{"data":'
    rb'\{"algorithm":"SHA2_256","digest":"([A-Za-z0-9+/]{43}=)"\},"signature":\{"content":'
    rb'"[A-Za-z0-9+/=]+","verifier":\{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":'
    rb'\{"rawBytes":"[A-Za-z0-9+/=]+"\}\}\}\}\}\}'
)
"""The one form that ``comity.record.log`` writes. Matching takes a tenth of the time of parsing."""


def memory_name(institute: str, name: str) -> str:
    """Return the name of the memory of the log of ``institute`` that has that name."""
    return institute if name == origin(institute) else name


class LogState:
    """The memory of one log, open and locked. ``opened`` makes it and closes it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._path = folder / f"{name}.checkpoint"
        self._file = _open(folder / f"{name}.entries")
        self._spans: dict[Node, bytes] = {}

    def close(self) -> None:
        """Close the files and let other monitors look."""
        self._file.close()

    def checkpoint(self, log_keys: Sequence[Verifier]) -> bytes:
        """Return the newest checkpoint that held, a signed note; empty if there is none yet.

        Raises:
            BadConfig: the file is not what a key of the log signed: it was damaged, and says
                nothing about the log.
        """
        if not self._path.exists():
            return b""
        data = read_file(self._path, MAX_NOTE_BYTES)
        try:
            open_checkpoint(data, log_keys)
        except UnknownKey:
            # the log may have changed its key since: what was signed before still counts
            return data
        except InvalidInput as error:
            hint = f"put it back, or remove {self._name}.* to follow the log from the start"
            message = f"expected a checkpoint that the log signed: {error}"
            raise BadConfig(message, field=str(self._path), hint=hint) from error
        return data

    def keep(self, checkpoint: bytes) -> None:
        """Keep a checkpoint. The entries must lead to its root."""
        # the entries are on disk before the checkpoint that vouches for them
        self._file.flush()
        os.fsync(self._file.fileno())

        replace_file(self._path, checkpoint)

    def keep_evidence(self, evidence: bytes) -> Path:
        """Write evidence of a split view, in its JSON form, and return the file."""
        digest = hashlib.sha256(evidence).hexdigest()[:_DIGEST_CHARS]
        path = self._folder / f"{self._name}.{digest}.split-view.json"
        replace_file(path, evidence)
        return path

    @property
    def count(self) -> int:
        """Number of entries."""
        return self._file.seek(0, os.SEEK_END) // ROW_BYTES

    def cut(self, count: int) -> None:
        """Forget the entries from ``count`` on."""
        self._file.truncate(count * ROW_BYTES)
        self._spans.clear()

    def append(self, entries: Sequence[bytes]) -> None:
        """Add entries in the form in which the log serves them."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(b"".join(leaf_hash(entry) + digest_in(entry) for entry in entries))

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return the hashes of subtrees of the entries: a ``merkle.ReadHashes``."""
        return [self._hash(*node) for node in nodes]

    def tally(self, digests: Collection[bytes], size: int) -> Counter[bytes]:
        """Count each digest, and UNREADABLE, among the first ``size`` entries."""
        wanted = {*digests, UNREADABLE}
        found: Counter[bytes] = Counter()
        for start in range(0, size, 1 << _SPAN_LEVEL):
            rows = self._rows(start, min(size, start + (1 << _SPAN_LEVEL)))
            found.update(row[HASH_BYTES:] for row in rows if row[HASH_BYTES:] in wanted)
        return found

    def _hash(self, level: int, index: int) -> bytes:
        # above the spans: few nodes, made of hashes in memory
        if level > _SPAN_LEVEL:
            return node_hash(self._hash(level - 1, 2 * index), self._hash(level - 1, 2 * index + 1))

        # a span, or a part of one: hashed level by level from its leaves
        if (level, index) not in self._spans:
            rows = self._rows(index << level, (index + 1) << level)
            hashes = [row[:HASH_BYTES] for row in rows]
            while len(hashes) > 1:
                hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
            self._spans[level, index] = hashes[0]
        return self._spans[level, index]

    def _rows(self, start: int, end: int) -> list[bytes]:
        self._file.seek(start * ROW_BYTES)
        data = self._file.read((end - start) * ROW_BYTES)
        return [data[i : i + ROW_BYTES] for i in range(0, len(data), ROW_BYTES)]


@contextmanager
def opened(folder: Path, name: str) -> Iterator[LogState]:
    """Open the memory of a log, and make it if there is none. ``name`` is a ``memory_name``.

    Raises:
        BadConfig: the folder cannot be written.
        Conflict: another monitor is looking at this log.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = LogState(folder, name)
    except OSError as error:
        raise BadConfig(f"cannot be used: {error.strerror}", field=str(folder)) from error

    try:
        yield state
    finally:
        state.close()


def digest_in(entry: bytes) -> bytes:
    """Return the digest (32 bytes) in a log's entry, or UNREADABLE if it is no hashedrekord."""
    match = _LEAF.fullmatch(entry)
    return base64.b64decode(match[1]) if match else UNREADABLE


def _open(path: Path) -> IO[bytes]:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    file = os.fdopen(os.open(path, flags, 0o600), "a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise Conflict("another monitor is looking at this log", field=str(path)) from error

    # an entry that was cut off in the middle of writing is fetched again
    file.truncate(file.seek(0, os.SEEK_END) // ROW_BYTES * ROW_BYTES)
    return file
