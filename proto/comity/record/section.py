"""Sections and their disclosures: content that can be withheld without breaking a signature.

A disclosure is the ASCII text (RFC 9901, section 4.2.1)

    base64url( ["<salt>", "<name>", <value>] )          no padding

The header commits to it by the SHA-256 of exactly this text (RFC 9901, section 4.2.3), so that
``sha256sum`` of a disclosure file prints the digest in the header. Invariants: a salt has 128 bits
or more; a disclosure is kept and forwarded as the bytes that its issuer made.
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
    """A disclosed section: ``encoded`` is the ASCII text, which contains the salt as well."""

    encoded: bytes
    name: str
    value: Any

    @classmethod
    def make(cls, name: str, value: Any) -> Disclosure:
        """Return the disclosure of a section's value (I-JSON), with a new salt."""
        # RFC 9901, section 9.3: a salt of 128 bits or more, new for each disclosure
        salt = secrets.token_urlsafe(SALT_BYTES)
        return cls.parse(_encode(ijson.canonical([salt, name, value])))

    @classmethod
    def parse(cls, encoded: bytes, *, field: str = "disclosure") -> Disclosure:
        """Read the ASCII text of a disclosure.

        Raises:
            LimitExceeded: the text is longer than MAX_DISCLOSURE_BYTES.
            BadDisclosure: the text is not base64url of [salt, name, value].
            MalformedJson: the decoded text is not I-JSON.
        """
        MAX_DISCLOSURE_BYTES.check(len(encoded), field)
        parts = ijson.loads(_decode(encoded, field), field=field)
        if not isinstance(parts, list) or len(parts) != 3:
            raise BadDisclosure("expected [salt, name, value]", field=field)

        # without enough salt the digest in the header would let anyone guess the value
        salt, name, value = parts
        if not isinstance(salt, str) or len(salt) < _MIN_SALT_CHARS:
            raise BadDisclosure("expected a salt of 128 bits or more", field=field)
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS:
            raise BadDisclosure(f"expected a name of 1 to {MAX_NAME_CHARS} characters", field=field)
        return cls(encoded, name, value)

    @property
    def digest(self) -> str:
        """SHA-256 of the encoded text, lower-case hex, as the header holds it."""
        return hashlib.sha256(self.encoded).hexdigest()


def _encode(data: bytes) -> bytes:
    # RFC 4648, section 5, without padding
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _decode(encoded: bytes, field: str) -> bytes:
    if not _BASE64URL.fullmatch(encoded):
        raise BadDisclosure("expected base64url without padding", field=field)
    try:
        return base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    except binascii.Error as error:
        raise BadDisclosure(f"expected base64url: {error}", field=field) from error
