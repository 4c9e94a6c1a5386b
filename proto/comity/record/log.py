"""What an institute's log holds of a record: a leaf without content (RFC 6962, Rekor v2).

A leaf is the JCS form of a ``hashedrekord`` 0.0.2: the SHA-256 of the PAE, the DER signature and
the public key. The record's nonce makes the digest unguessable, so that every peer may see the
whole log and learn only how many records there are.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives import serialization

from comity.record import ijson
from comity.record.envelope import Envelope, pae
from comity.record.keys import RecordKey


def leaf(envelope: Envelope, key: RecordKey) -> bytes:
    """Return the leaf of a record whose signature verifies under ``key``."""
    digest = hashlib.sha256(pae(envelope.payload_type, envelope.payload)).digest()
    verifier = {
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "publicKey": {"rawBytes": _public_der(key)},
    }
    body = {
        "data": {"algorithm": "SHA2_256", "digest": base64.b64encode(digest).decode()},
        "signature": {
            "content": base64.b64encode(envelope.signature).decode(),
            "verifier": verifier,
        },
    }
    return ijson.canonical(
        {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": body}}
    )


def _public_der(key: RecordKey) -> str:
    encoding = serialization.Encoding.DER
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public.public_bytes(encoding, form)).decode()
