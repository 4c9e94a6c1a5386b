"""Versions of a root, signed by holders whose keys are at hand, and altered as one likes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from comity.record.bundle import TrustBundle
from comity.record.keys import SigningKey
from comity.record.root import Root

NOW = datetime(2026, 5, 21, 9, tzinfo=UTC)
EXPIRES = NOW + timedelta(days=365)
ADA, BOB, CYD, DAN, EVE = (SigningKey.generate() for _ in range(5))


def make_root(
    profile: TrustBundle,
    version: int = 1,
    keys: tuple[SigningKey, ...] = (ADA, BOB),
    threshold: int = 2,
    signed_by: tuple[SigningKey, ...] | None = None,
    expires: datetime = EXPIRES,
) -> Root:
    """Return a version that is signed by its own keys unless others are named."""
    root = Root.draft(profile, [k.key for k in keys], threshold, expires, version)
    for key in keys if signed_by is None else signed_by:
        root = root.sign(key)
    return root


def changed_root(root: Root, change: Callable[[Any], object]) -> bytes:
    """Return a root's file after a change of its JSON."""
    value = json.loads(root.document)
    change(value)
    return json.dumps(value).encode()
