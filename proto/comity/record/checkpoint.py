"""Checkpoints: a log's signed statement of its size and root (C2SP tlog-checkpoint).

    <origin>
    <size, decimal>
    <base64 of the root>

is the text of a signed note. Extension lines may follow in checkpoints of other logs, and are kept;
our own have none, since nobody can audit them. Invariant: a key that speaks for a log has the log's
origin as its name, so that no log can speak for another.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from comity.record.errors import BadCheckpoint, InvalidInput, UnknownKey
from comity.record.merkle import HASH_BYTES, MAX_TREE_SIZE
from comity.record.note import Note, NoteSigner, Verifier, decode_base64, verify

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,19}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Size (in leaves) and root (32 bytes) of the log named ``origin``. Not yet verified."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The signed text; it ends in LF."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, self.size, root, *self.extensions))

    @classmethod
    def parse(cls, body: str) -> Checkpoint:
        """Read the text of a checkpoint's note.

        Raises:
            LimitExceeded: a size above MAX_TREE_SIZE.
            BadCheckpoint: fewer than three lines or an empty one, a size with leading zeros, a
                root of other than 32 bytes.
        """
        lines = body.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            message = "expected lines of origin, size and root, none empty, each ending in LF"
            raise BadCheckpoint(message, field="checkpoint")

        origin, size, encoded, *extensions = lines
        root = decode_base64(encoded)
        if root is None or len(root) != HASH_BYTES:
            message = f"expected base64 of {HASH_BYTES} bytes, got {encoded!r:.100}"
            raise BadCheckpoint(message, field="checkpoint.root")
        return cls(origin, parse_size(size, "checkpoint.size"), root, tuple(extensions))


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> Note:
    """Sign a checkpoint with its log's key.

    The caller must have checked that size and root extend the last signed ones, and stored them.

    Raises:
        BadCheckpoint: not well formed, with extension lines, or of another log than the key's.
    """
    # what we sign is read back the same, whatever a caller put into the fields
    if Checkpoint.parse(checkpoint.body) != checkpoint or checkpoint.extensions:
        raise BadCheckpoint("expected three lines and no more", field="checkpoint")
    if checkpoint.origin != signer.name:
        message = f"expected {signer.name}, got {checkpoint.origin!r:.100}"
        raise BadCheckpoint(message, field="checkpoint.origin")
    return Note(checkpoint.body, (signer.sign(checkpoint.body),))


def open_checkpoint(data: bytes, log_keys: Iterable[Verifier]) -> tuple[Checkpoint, Note]:
    """Read a checkpoint that one of ``log_keys`` signed; the note keeps all its signatures.

    Raises:
        LimitExceeded: over MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES or MAX_TREE_SIZE.
        BadNote, BadCheckpoint: not well formed.
        BadSignature: a signature of a known key does not verify.
        UnknownKey: no known key of the origin signed it.
    """
    note = Note.parse(data)
    checkpoint = Checkpoint.parse(note.text)

    # C2SP tlog-checkpoint: the key's name is the origin, so another log's key does not count
    if checkpoint.origin not in {line.name for line in verify(note, log_keys)}:
        message = f"expected a signature by a known key of {checkpoint.origin!r:.100}, got none"
        raise UnknownKey(message, field="checkpoint")
    return checkpoint, note


def parse_size(text: str, field: str, error: type[InvalidInput] = BadCheckpoint) -> int:
    """Read a tree size or leaf index: decimal, without leading zeros.

    Raises:
        LimitExceeded: above MAX_TREE_SIZE.
        InvalidInput: not such a number; raised as ``error``, a subclass.
    """
    if not _NUMBER.fullmatch(text):
        raise error(f"expected a decimal number, got {text!r:.100}", field=field)
    size = int(text)
    MAX_TREE_SIZE.check(size, field)
    return size
