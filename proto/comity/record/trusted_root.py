"""Trusted roots: files that name the logs that a stock Sigstore verifier is to trust.

``trusted_root.json`` (protobuf-specs sigstore_trustroot.proto, v0.1) lists the key, the id and the
``baseUrl`` of each log. Verifiers take the host of ``baseUrl`` as the origin of the log's
checkpoints, so a log is named by a bare host name. Invariants: those of
``comity.record.sigstore_json``; the file names no certificate authority and no timestamp service.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from comity.record import ijson
from comity.record.encoding import encode_base64
from comity.record.errors import BadEvidence, InvalidInput
from comity.record.limits import MAX_BUNDLE_BYTES
from comity.record.models import Model
from comity.record.note import LOG_KEY, Verifier
from comity.record.sigstore import log_id
from comity.record.sigstore_json import Base64Text, LogId, check_same, parse_file
from comity.record.spiffe import check_institute

TRUSTED_ROOT_TYPE: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"

_ALWAYS: Final = "1970-01-01T00:00:00Z"
"""Start of a log key's validity: keys are revoked by log index, not by clock."""

_SCHEME: Final = "https://"

_SPKI_ED25519: Final = bytes.fromhex("302a300506032b6570032100")
"""The bytes before the 32 bytes of an Ed25519 key in SubjectPublicKeyInfo (RFC 8410, section 4)."""

_ED25519_BYTES: Final = 32


class _ValidFor(Model):
    start: Literal["1970-01-01T00:00:00Z"]


class _PublicKey(Model):
    raw_bytes: Base64Text
    key_details: Literal["PKIX_ED25519"]
    valid_for: _ValidFor


class _Log(Model):
    base_url: str
    hash_algorithm: Literal["SHA2_256"]
    public_key: _PublicKey
    log_id: LogId


class _TrustedRoot(Model):
    media_type: Literal["application/vnd.dev.sigstore.trustedroot+json;version=0.1"]
    tlogs: Annotated[tuple[_Log, ...], Field(min_length=1)]


def trusted_root(log_keys: Sequence[Verifier]) -> bytes:
    """Return the contents of a ``trusted_root.json`` that names only these logs.

    Raises:
        BadEvidence: a key is not a log's, or its name is not a bare host name.
    """
    root = {"mediaType": TRUSTED_ROOT_TYPE, "tlogs": [_described(key) for key in log_keys]}
    return ijson.canonical(root) + b"\n"


def read_trusted_root(data: bytes) -> tuple[Verifier, ...]:
    """Return the keys of the logs that a ``trusted_root.json`` names.

    Raises:
        LimitExceeded: over MAX_BUNDLE_BYTES.
        MalformedJson: not I-JSON.
        BadEvidence: a field is missing, unknown, malformed, or contradicts another; names it.
    """
    root = parse_file(_TrustedRoot, data, MAX_BUNDLE_BYTES)
    return tuple(_log_key(entry, f"tlogs[{number}]") for number, entry in enumerate(root.tlogs))


def _described(log_key: Verifier) -> dict[str, Any]:
    if log_key.kind != LOG_KEY:
        raise BadEvidence(f"expected a log's key (0x01), got 0x{log_key.kind:02x}")

    return {
        "baseUrl": _base_url(log_key.name, "baseUrl"),
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": encode_base64(_SPKI_ED25519 + log_key.public),
            "keyDetails": "PKIX_ED25519",
            "validFor": {"start": _ALWAYS},
        },
        "logId": {"keyId": encode_base64(log_id(log_key))},
    }


def _log_key(entry: _Log, field: str) -> Verifier:
    # the origin of the log's checkpoints is the host of baseUrl
    name = entry.base_url.removeprefix(_SCHEME)
    check_same(f"{field}.baseUrl", _base_url(name, f"{field}.baseUrl"), entry.base_url)

    spki = base64.b64decode(entry.public_key.raw_bytes)
    log_key = Verifier(name, LOG_KEY, spki[len(_SPKI_ED25519) :])
    if not spki.startswith(_SPKI_ED25519) or len(log_key.public) != _ED25519_BYTES:
        message = f"expected SubjectPublicKeyInfo of an Ed25519 key, got {len(spki)} bytes"
        raise BadEvidence(message, field=f"{field}.publicKey.rawBytes")

    # the id follows from name and key (see ``log_id``)
    check_same(f"{field}.logId.keyId", encode_base64(log_id(log_key)), entry.log_id.key_id)
    return log_key


def _base_url(name: str, field: str) -> str:
    try:
        return _SCHEME + check_institute(name)
    except InvalidInput as error:
        raise BadEvidence(error.message, field=field) from error
