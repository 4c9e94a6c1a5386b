"""What many tests share."""

from __future__ import annotations

import pytest
from comity.record.keys import SigningKey


@pytest.fixture(scope="session")
def signing_key() -> SigningKey:
    """Return a record key of uk.aisi.example."""
    return SigningKey.generate()
