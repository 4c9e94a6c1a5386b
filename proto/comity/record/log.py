"""An institute's log: its name, its leaves, and the check that a leaf stands in it (Rekor v2).

A leaf is the JCS form of a ``hashedrekord`` 0.0.2: the SHA-256 of the PAE, the DER signature and
the public key. The record's nonce makes the digest unguessable. Every peer may therefore read the
whole log: it reveals only the number of records.

An institute whose log lost signed entries begins another log, under another key and another name:
``log.<institute>`` is the first, and a later one is named after the UTC second in which its key
was made, such as ``log20261201124500.<institute>``. Invariant: no two logs ever share a name, also
where an institute's whole home was restored from a backup that knows nothing of the later log.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from cryptography.hazmat.primitives import serialization

from comity.record import ijson
from comity.record.checkpoint import Checkpoint, open_checkpoint
from comity.record.encoding import encode_base64
from comity.record.envelope import Envelope, pae
from comity.record.errors import BadCheckpoint
from comity.record.keys import RecordKey
from comity.record.merkle import leaf_hash, verify_inclusion
from comity.record.note import Verifier
from comity.record.tlog_proof import TlogProof

FIRST_LOG: Final = 0
"""Number of an institute's first log."""

_ORIGIN: Final = re.compile(r"log([1-9][0-9]{13})?\.(.+)")


class LogName(NamedTuple):
    """An institute's log: ``number`` is FIRST_LOG, or 14 digits that only grow, YYYYMMDDhhmmss."""

    institute: str
    number: int


def origin(institute: str, number: int = FIRST_LOG) -> str:
    """Return the name of an institute's log."""
    # cosign takes the origin from the host of the trusted root's baseUrl: a path would not match
    return f"log{number or ''}.{institute}"


def parse_origin(origin: str) -> LogName | None:
    """Return which log has a name; None if no institute's log has it."""
    match = _ORIGIN.fullmatch(origin)
    return LogName(match[2], int(match[1] or FIRST_LOG)) if match else None


def is_log_of(institute: str, origin: str) -> bool:
    """Return True if a name is that of one of an institute's logs."""
    name = parse_origin(origin)
    return name is not None and name.institute == institute


def newest_log(institute: str, names: Iterable[str]) -> int:
    """Return the number of an institute's newest log; ``names`` are origins or verifier keys.

    All its other logs are closed. Names of other logs do not count.
    """
    parsed = (parse_origin(name.partition("+")[0]) for name in names)
    return max((log.number for log in parsed if log and log.institute == institute), default=0)


def next_log(now: datetime, newest: int) -> int:
    """Return the number of a log whose key is made ``now`` (UTC); it is above ``newest``."""
    # a clock that was set back must not lead to a name that was used before
    return max(int(f"{now:%Y%m%d%H%M%S}"), newest + 1)


def leaf(envelope: Envelope, key: RecordKey) -> bytes:
    """Return the leaf of a record whose signature verifies under ``key``."""
    return hashedrekord(pae(envelope.payload_type, envelope.payload), envelope.signature, key)


def hashedrekord(message: bytes, signature: bytes, key: RecordKey) -> bytes:
    """Return the leaf of any ``message`` whose DER ``signature`` verifies under ``key``."""
    digest = hashlib.sha256(message).digest()
    verifier = {
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        "publicKey": {"rawBytes": _public_der(key)},
    }
    body = {
        "data": {"algorithm": "SHA2_256", "digest": encode_base64(digest)},
        "signature": {"content": encode_base64(signature), "verifier": verifier},
    }

    # RFC 8785: verifiers build the same bytes from envelope and key
    return ijson.canonical(
        {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": body}}
    )


def check_logged(
    leaf: bytes, proof: TlogProof, institute: str, log_keys: Iterable[str]
) -> Checkpoint:
    """Check that a leaf stands in an institute's log; return the checkpoint that proves it.

    ``log_keys`` are the verifier keys of the log in the institute's own bundle.

    Raises:
        LimitExceeded, BadNote, BadSignature, UnknownKey: as ``open_checkpoint``.
        BadCheckpoint: not a checkpoint, or of another log.
        BadProof: the leaf does not stand at the proof's index.
    """
    verifiers = [Verifier.parse(key) for key in log_keys]
    checkpoint, _ = open_checkpoint(proof.checkpoint, verifiers)

    # a bundle may list the key of another log: the checkpoint must name this institute's
    if not is_log_of(institute, checkpoint.origin):
        message = f"expected a checkpoint of {origin(institute)}, got one of {checkpoint.origin}"
        raise BadCheckpoint(message, field="checkpoint.origin")

    # RFC 6962, section 2.1.1: the audit path leads from the leaf to the root
    found, size = leaf_hash(leaf), checkpoint.size
    verify_inclusion(found, proof.index, size, proof.hashes, checkpoint.root)
    return checkpoint


def _public_der(key: RecordKey) -> str:
    encoding = serialization.Encoding.DER
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return encode_base64(key.public.public_bytes(encoding, form))
