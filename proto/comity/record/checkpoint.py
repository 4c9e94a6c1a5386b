"""Checkpoints: a log's signed statement of its size and root (C2SP tlog-checkpoint).

    <origin>
    <size, decimal>
    <base64 of the root>

is the text of a signed note. Extension lines may follow in checkpoints of other logs, and are kept;
our own have none, since nobody can audit them. Invariant: a key that speaks for a log has the log's
origin as its name, so that no log can speak for another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from comity.record.encoding import encode_base64, parse_hash, parse_size
from comity.record.errors import BadCheckpoint, UnknownKey
from comity.record.note import Note, NoteSigner, Verifier, verify


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
        root = encode_base64(self.root)
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
        root = parse_hash(encoded, "checkpoint.root", BadCheckpoint)
        count = parse_size(size, "checkpoint.size", BadCheckpoint)
        return cls(origin, count, root, tuple(extensions))


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
