"""Sections and their disclosures: content that can be withheld without breaking a signature.

A disclosure is the ASCII text (RFC 9901, section 4.2.1)

    base64url( ["<salt>", "<name>", <value>] )          no padding

and the header commits to it by the SHA-256 of exactly that text, so that ``sha256sum`` of a
disclosure file prints the digest that stands in the header. Invariants: salts have 128 bits or
more; a disclosure is kept and forwarded as the bytes that its issuer made.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any, Final

from comity.record import ijson
from comity.record.errors import BadDisclosure
from comity.record.limits import MAX_DISCLOSURE_BYTES, MAX_NAME_CHARS

SALT_BYTES: Final = 16
_BASE64URL: Final = re.compile(rb"[A-Za-z0-9_-]*")
_MIN_SALT_CHARS: Final = 22
"""16 bytes in base64url without padding."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A section's revealed bytes: its salt is inside ``encoded`` and of no further use."""

    encoded: bytes
    name: str
    value: Any

    @classmethod
    def make(cls, name: str, value: Any) -> Disclosure:
        """Salt and encode a section's value (I-JSON)."""
        salt = secrets.token_urlsafe(SALT_BYTES)
        return cls.parse(_encode(ijson.canonical([salt, name, value])))

    @classmethod
    def parse(cls, encoded: bytes, *, field: str = "disclosure") -> Disclosure:
        """Read the ASCII text of a disclosure.

        Raises:
            LimitExceeded: longer than MAX_DISCLOSURE_BYTES.
            BadDisclosure: not base64url, or not [salt, name, value].
            MalformedJson: what it encodes is not I-JSON.
        """
        MAX_DISCLOSURE_BYTES.check(len(encoded), field)
        parts = ijson.loads(_decode(encoded, field), field=field)
        if not isinstance(parts, list) or len(parts) != 3:
            raise BadDisclosure("expected [salt, name, value]", field=field)
        salt, name, value = parts
        if not isinstance(salt, str) or len(salt) < _MIN_SALT_CHARS:
            raise BadDisclosure("expected a salt of 128 bits or more", field=field)
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS:
            raise BadDisclosure(f"expected a name of 1 to {MAX_NAME_CHARS} characters", field=field)
        return cls(encoded, name, value)

    @property
    def digest(self) -> str:
        """SHA-256 of the encoded text, lower-case hex: what the header holds."""
        return hashlib.sha256(self.encoded).hexdigest()


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(encoded: bytes, field: str) -> bytes:
    if not _BASE64URL.fullmatch(encoded):
        raise BadDisclosure("expected base64url without padding", field=field)
    try:
        return base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    except binascii.Error as error:
        raise BadDisclosure(f"expected base64url: {error}", field=field) from error
