"""Homes that tests of callers and certificates share."""

from __future__ import annotations

import pytest

from comity.node.home.folder import Home
from tests.support.network import make_home


@pytest.fixture(scope="module")
def uk(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home of uk that no node serves."""
    return make_home(tmp_path_factory.mktemp("homes"), "uk.aisi.example")


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home of ca that no node serves."""
    return make_home(tmp_path_factory.mktemp("homes"), "ca.aisi.example")
