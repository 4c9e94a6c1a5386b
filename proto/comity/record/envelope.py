"""DSSE envelopes (secure-systems-lab/dsse, protocol.md and envelope.md, v1.0.2).

The signature is over the pre-authentication encoding (PAE)

    "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload

where LEN is the length in bytes, in ASCII decimal. Invariants: the payload is kept as the exact
bytes that were signed; there is exactly one signature (cosign accepts no other number); a keyid is
present; only the lower of the two forms of an ECDSA signature is accepted. A relay could make the
other form, which the log of the issuer does not hold.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Any, Final

from comity.record import ijson
from comity.record.encoding import encode_base64
from comity.record.errors import BadSignature, MalformedEnvelope
from comity.record.keys import RecordKey, SigningKey, is_lower
from comity.record.limits import MAX_NAME_CHARS, MAX_PAYLOAD_BYTES

STATEMENT_TYPE: Final = "application/vnd.in-toto+json"
"""payloadType of every record; sigstore's verifiers accept no other."""

RECEIPT_TYPE: Final = "application/vnd.comity.receipt+json"
"""payloadType of a receipt; a receipt can therefore never be taken for a record."""

MAX_SIGNATURE_BYTES: Final = 80
"""A DER-encoded P-256 signature has at most 72 bytes."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding: the bytes that are signed."""
    # DSSE v1, protocol.md, "Signature Definition": the lengths count bytes
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload and its one signature (DER, over the PAE). Not yet verified."""

    payload_type: str
    payload: bytes
    keyid: str
    signature: bytes

    @classmethod
    def sign(cls, payload_type: str, payload: bytes, key: SigningKey) -> Envelope:
        """Sign ``payload`` as it stands."""
        return cls(payload_type, payload, key.key.keyid, key.sign(pae(payload_type, payload)))

    @property
    def record_id(self) -> str:
        """SHA-256 of the payload, lower-case hex."""
        return hashlib.sha256(self.payload).hexdigest()

    def check_form(self, payload_type: str) -> None:
        """Check everything that needs no key.

        Raises:
            LimitExceeded: the payload is over MAX_PAYLOAD_BYTES.
            MalformedEnvelope: the payloadType is not ``payload_type``, the keyid has not 1 to
                MAX_NAME_CHARS characters, or the signature not 1 to MAX_SIGNATURE_BYTES bytes.
        """
        MAX_PAYLOAD_BYTES.check(len(self.payload), "payload")
        if self.payload_type != payload_type:
            message = f"expected {payload_type}, got {self.payload_type!r:.100}"
            raise MalformedEnvelope(message, field="payloadType")

        # DSSE lets the keyid be absent; Comity finds the key by it
        if not 0 < len(self.keyid) <= MAX_NAME_CHARS:
            raise MalformedEnvelope("expected a keyid", field="signatures[0].keyid")
        if not 0 < len(self.signature) <= MAX_SIGNATURE_BYTES:
            message = f"expected 1 to {MAX_SIGNATURE_BYTES} bytes, got {len(self.signature)}"
            raise MalformedEnvelope(message, field="signatures[0].sig")

    def verify(self, key: RecordKey) -> None:
        """Check the signature.

        Raises:
            BadSignature: it does not verify under ``key``, or has the higher of its two forms.
        """
        key.verify(self.signature, pae(self.payload_type, self.payload))
        if not is_lower(self.signature):
            message = "expected the lower of its two forms (s of at most half the order)"
            raise BadSignature(message, field="signatures[0].sig")

    def to_json(self) -> dict[str, Any]:
        """Return the envelope in the JSON form of DSSE v1, envelope.md, with standard base64."""
        return {
            "payload": encode_base64(self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": self.keyid, "sig": encode_base64(self.signature)}],
        }

    @classmethod
    def from_json(cls, data: bytes) -> Envelope:
        """Read DSSE's JSON form.

        Raises:
            MalformedJson: not JSON.
            MalformedEnvelope: a field is missing, of the wrong type, not base64, or there is not
                exactly one signature.
        """
        return cls.from_value(ijson.loads(data, field="envelope"))

    @classmethod
    def from_value(cls, value: Any) -> Envelope:
        """Read parsed DSSE JSON; unknown fields are ignored, as the specification demands.

        Raises:
            MalformedEnvelope: as ``from_json``.
        """
        if not isinstance(value, dict):
            raise MalformedEnvelope("expected a DSSE envelope (a JSON object)", field="envelope")

        # DSSE allows several signatures; cosign and sigstore-go accept exactly one
        signatures = value.get("signatures")
        if not isinstance(signatures, list) or len(signatures) != 1:
            got = len(signatures) if isinstance(signatures, list) else "none"
            raise MalformedEnvelope(f"expected exactly 1 signature, got {got}", field="signatures")

        signature = signatures[0] if isinstance(signatures[0], dict) else {}
        return cls(
            payload_type=_text(value, "payloadType", "payloadType"),
            payload=_base64(value, "payload", "payload"),
            keyid=_text(signature, "keyid", "signatures[0].keyid"),
            signature=_base64(signature, "sig", "signatures[0].sig"),
        )


def _text(value: dict[str, Any], key: str, field: str) -> str:
    text = value.get(key)
    if not isinstance(text, str):
        raise MalformedEnvelope(f"expected text, got {text!r:.80}", field=field)
    return text


def _base64(value: dict[str, Any], key: str, field: str) -> bytes:
    # DSSE v1, envelope.md: a reader accepts standard and URL-safe base64
    text = _text(value, key, field).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedEnvelope(f"expected base64: {error}", field=field) from error
