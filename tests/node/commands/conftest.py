"""Homes that tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.record.bundle import TrustBundle
from tests.support.command_line import Run, init

CA = "ca.aisi.example"


@pytest.fixture
def uk(comity_node: Run) -> Run:
    """Run commands on the home of uk.aisi.example; ca.json is the bundle of a future peer."""
    assert init(comity_node).code == 0
    assert init(comity_node, CA, "ca", 7001).code == 0
    Path("ca.json").write_text(comity_node("--home", "ca", "bundle").out)
    return comity_node


@pytest.fixture
def fingerprint(uk: Run) -> str:
    """Return the fingerprint of the bundle in ca.json."""
    return TrustBundle.from_json(Path("ca.json").read_bytes()).fingerprint
