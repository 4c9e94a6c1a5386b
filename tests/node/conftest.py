"""Institutes that tests of the node share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.policies.preset import load_preset
from tests.support.databases import NewDatabase
from tests.support.institutes import HandClock, Institute, institutes

UK, CA, JP = (f"{name}.aisi.example" for name in ("uk", "ca", "jp"))
OPEN = load_preset("open")


@pytest.fixture
def fresh_pair(
    tmp_path: Path, clock: HandClock, new_database: NewDatabase
) -> Iterator[list[Institute]]:
    """Yield uk and ca, who are each other's members and have no policy in force."""
    with institutes(tmp_path, clock, new_database, UK, CA) as made:
        yield made


@pytest.fixture
def pair(tmp_path: Path, clock: HandClock, new_database: NewDatabase) -> Iterator[list[Institute]]:
    """Yield uk and ca, who are each other's members and whose policy is *open*."""
    with institutes(tmp_path, clock, new_database, UK, CA, policy=OPEN) as made:
        yield made


@pytest.fixture
def trio(tmp_path: Path, clock: HandClock, new_database: NewDatabase) -> Iterator[list[Institute]]:
    """Yield uk, ca and jp, who are each other's members and whose policy is *open*."""
    with institutes(tmp_path, clock, new_database, UK, CA, JP, policy=OPEN) as made:
        yield made
