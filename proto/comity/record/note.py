"""Verifier keys of signed notes (C2SP signed-note): how log and witness keys are written down.

    <name>+<hex of keyID>+<base64 of type || public key>
    keyID = SHA-256(name || 0x0A || type || public key)[:4]

Type 0x01 is Ed25519 (a log), 0x04 a timestamped cosignature (a witness). Invariant: log and
witness keys differ, since a cosignature does not commit to its cosigner's name.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

LOG_KEY: Final = 0x01
WITNESS_KEY: Final = 0x04


def verifier_key(name: str, kind: int, public: ed25519.Ed25519PublicKey) -> str:
    """Return the verifier key of ``public``; ``kind`` is LOG_KEY or WITNESS_KEY."""
    encoding, form = serialization.Encoding.Raw, serialization.PublicFormat.Raw
    typed = bytes([kind]) + public.public_bytes(encoding, form)
    keyid = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
    return f"{name}+{keyid.hex()}+{base64.b64encode(typed).decode()}"
