"""Bytes, hashes and sizes as text, in the one spelling that a signed format allows.

The formats of C2SP and of Sigstore write bytes in standard base64 (RFC 4648, section 4) and sizes
in decimal. Invariant: every value has one spelling, so that a text which is read is written back
the same.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from comity.record.errors import InvalidInput
from comity.record.merkle import HASH_BYTES, MAX_TREE_SIZE

_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,19}")


def encode_base64(data: bytes) -> str:
    """Return standard base64, with padding."""
    return base64.b64encode(data).decode()


def decode_base64(text: str) -> bytes | None:
    """Decode standard base64; None if ``text`` is not base64, or not in its one spelling."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None

    # b64decode ignores the unused bits of the last character, so several texts give the same bytes
    return data if encode_base64(data) == text else None


def parse_hash(text: str, field: str, error: type[InvalidInput]) -> bytes:
    """Read the base64 of a hash (32 bytes).

    Raises:
        InvalidInput: not such a text; raised as ``error``, a subclass.
    """
    value = decode_base64(text)
    if value is None or len(value) != HASH_BYTES:
        raise error(f"expected base64 of {HASH_BYTES} bytes, got {text!r:.100}", field=field)
    return value


def parse_size(text: str, field: str, error: type[InvalidInput]) -> int:
    """Read a tree size or leaf index: decimal, without leading zeros.

    Raises:
        LimitExceeded: above MAX_TREE_SIZE.
        InvalidInput: not such a number; raised as ``error``, a subclass.
    """
    if not _NUMBER.fullmatch(text):
        raise error(f"expected a decimal number, got {text!r:.100}", field=field)

    size = int(text)
    MAX_TREE_SIZE.check(size, field)
    return size
