"""Homes, and the offline keys that sign their roots by commands."""

from __future__ import annotations

import pytest

from tests.support.command_line import Run, init
from tests.support.node_keys import make_offline_key, sign_root


@pytest.fixture
def unrooted(comity_node: Run) -> Run:
    """Return a runner in a folder with a home and three offline keys."""
    assert init(comity_node).code == 0
    for name in ("alice", "bob", "cyd"):
        make_offline_key(comity_node, name)
    return comity_node


@pytest.fixture
def rooted(unrooted: Run) -> Run:
    """Return a runner in a folder with a home whose root alice and bob have signed."""
    run = unrooted
    assert run("root", "init", "alice.key.pub", "bob.key.pub", "--threshold", "2").code == 0
    sign_root(run, "1.root.json", "alice", "bob")
    assert run("root", "publish", "1.root.json").code == 0
    return run
