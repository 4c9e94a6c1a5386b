"""Copies of JSON files with one thing changed, to see that it is noticed."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

JsonPath = tuple[str | int, ...]


def altered(data: bytes, path: JsonPath, change: Callable[[Any], Any]) -> bytes:
    """Return a JSON file whose value at ``path`` was changed; changed to None, it is left out."""
    document = json.loads(data)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    value = change(place.get(path[-1]) if isinstance(place, dict) else place[path[-1]])
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(document).encode()


def to(value: Any) -> Callable[[Any], Any]:
    """Return the change to ``value``."""
    return lambda _: value


def flipped(text: str) -> str:
    """Return standard base64 of the same bytes, but for one bit in their middle."""
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


def flip_bit(data: bytes, position: int) -> bytes:
    altered = bytearray(data)
    altered[position] ^= 1
    return bytes(altered)
