"""Copies of bytes and JSON files with one thing changed, which verification must notice."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

JsonPath = tuple[str | int, ...]


def changed_json(data: bytes, path: JsonPath, change: Callable[[Any], Any]) -> bytes:
    """Return a copy of a JSON file with another value at ``path``.

    ``change`` gets the old value, or None if the object has no such key. The key is left out of
    the copy if ``change`` returns None.
    """
    document = json.loads(data)
    parent: Any = document
    for step in path[:-1]:
        parent = parent[step]

    last = path[-1]
    value = change(parent.get(last) if isinstance(parent, dict) else parent[last])
    if value is None:
        del parent[last]
    else:
        parent[last] = value
    return json.dumps(document).encode()


def to(value: Any) -> Callable[[Any], Any]:
    """Return a change that puts ``value`` in place of any other."""
    return lambda _: value


def flipped_base64(text: str) -> str:
    """Return standard base64 of the same bytes, except for one bit in their middle."""
    data = base64.b64decode(text)
    return base64.b64encode(flip_bit(data, len(data) // 2)).decode()


def flip_bit(data: bytes, position: int) -> bytes:
    """Return the bytes with the lowest bit of one of them changed."""
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)
