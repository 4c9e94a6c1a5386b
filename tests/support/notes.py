"""Signed notes, and the keys of logs and witnesses that sign them."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from comity.record.note import LOG_KEY, Note, NoteSigner


def fixed_signer(name: str, seed: int = 1, kind: int = LOG_KEY) -> NoteSigner:
    """Return the same key for the same seed."""
    return NoteSigner(name, kind, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


LOG = fixed_signer("log.uk.aisi.example")


def note_of(*signers: NoteSigner, text: str = "text\n") -> Note:
    """Return a note that these keys have signed, in this order."""
    return Note(text, tuple(s.sign(text) for s in signers))
