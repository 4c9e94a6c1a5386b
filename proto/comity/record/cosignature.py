"""Cosignatures: a witness states that it saw a log grow consistently (C2SP tlog-cosignature).

A line's signature is ``u64be time || signature`` over, with Ed25519 (type 0x04),

    "cosignature/v1" LF "time " <decimal> LF <text of the checkpoint>

and with ML-DSA-44 (type 0x06)

    "subtree/v1" LF NUL, <witness>, u64be time, <origin>, u64be 0, u64be size, root

where each name follows its length, one byte. Invariants: a log's signature never counts as a
witness's, nor a witness's as a log's; only a well-formed checkpoint is cosigned. Before it cosigns,
a caller must check consistency with the last checkpoint seen of the log and store the new one, in
one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from comity.record.checkpoint import Checkpoint
from comity.record.errors import BadCheckpoint, BadConfig, BadSignature, UnknownKey
from comity.record.note import (
    LOG_KEY,
    MLDSA_WITNESS_KEY,
    WITNESS_KEY,
    Note,
    NoteSigner,
    SignatureLine,
    Verifier,
    known_lines,
)

_TIME_BYTES: Final = 8
_SUBTREE_LABEL: Final = b"subtree/v1\n\x00"
_MAX_TIME: Final = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified cosignature: its witness, and the time (UTC) at which it was made."""

    witness: Verifier
    time: datetime


def witness_name(institute: str) -> str:
    """Return the name of an institute's witness keys."""
    return f"witness.{institute}"


def cosign(text: str, signer: NoteSigner, time: datetime) -> SignatureLine:
    """Cosign the text of a checkpoint's note, as of ``time`` (aware; cut to whole seconds).

    Raises:
        BadCheckpoint: the text is no checkpoint.
        BadConfig: the key is not a witness's Ed25519 key.
    """
    # a cosignature does not commit to its cosigner's name: a log's key must never make one
    if signer.kind != WITNESS_KEY:
        message = f"expected a witness's key (0x04), got 0x{signer.kind:02x}"
        raise BadConfig(message, field=signer.name)

    # the line holds u64be time || signature (C2SP tlog-cosignature)
    seconds = int(time.timestamp())
    signature = signer.private.sign(_message(text, signer.verifier, seconds))
    stamped = seconds.to_bytes(_TIME_BYTES, "big") + signature
    return SignatureLine(signer.name, signer.verifier.keyid, stamped)


def verify_cosignature(text: str, line: SignatureLine, witness: Verifier) -> datetime:
    """Check one cosignature on the text of a checkpoint's note; return its time (UTC).

    The caller decides whether the time is recent enough, or lies in the future.

    Raises:
        UnknownKey: the line is another key's.
        BadCheckpoint: the text is no checkpoint.
        BadSignature: it does not verify, its time is beyond year 9999, or the key is a log's.
    """
    if (line.name, line.keyid) != (witness.name, witness.keyid):
        message = f"expected a signature by {witness.name}+{witness.keyid.hex()}"
        raise UnknownKey(f"{message}, got {line.name}+{line.keyid.hex()}", field="signature")
    if witness.kind == LOG_KEY:
        message = f"expected a witness's key (0x04 or 0x06), got {witness}"
        raise BadSignature(message, field="signature")

    # the time is part of what is signed, so it is read before the signature is checked
    seconds = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if seconds > _MAX_TIME:
        message = f"expected a time before year 10000, got {seconds} seconds"
        raise BadSignature(message, field="signature.time")

    witness.verify(line.signature[_TIME_BYTES:], _message(text, witness, seconds))
    return datetime.fromtimestamp(seconds, UTC)


def cosignatures(note: Note, witnesses: Iterable[Verifier]) -> list[Cosignature]:
    """Check the cosignatures of known witnesses; return the latest one of each witness.

    Raises:
        BadSignature, BadCheckpoint: as ``verify_cosignature``.
    """
    times: dict[Verifier, datetime] = {}
    for line, witness in known_lines(note, witnesses):
        time = verify_cosignature(note.text, line, witness)
        times[witness] = max(time, times.get(witness, time))
    return [Cosignature(witness, time) for witness, time in times.items()]


def _message(text: str, witness: Verifier, seconds: int) -> bytes:
    """Return the signed bytes."""
    checkpoint = Checkpoint.parse(text)
    if witness.kind != MLDSA_WITNESS_KEY:
        return f"cosignature/v1\ntime {seconds}\n{text}".encode()

    # the whole tree as a subtree: it begins at leaf 0 and ends at the checkpoint's size
    return b"".join(
        [
            _SUBTREE_LABEL,
            _prefixed(witness.name),
            seconds.to_bytes(8, "big"),
            _prefixed(checkpoint.origin),
            bytes(8),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        ]
    )


def _prefixed(name: str) -> bytes:
    data = name.encode()
    if len(data) > 255:
        raise BadCheckpoint(f"expected a name of at most 255 bytes, got {len(data)}")
    return bytes([len(data)]) + data
