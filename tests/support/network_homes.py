"""Homes for random networks, made once and copied for each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path

from comity.node.home.folder import Home
from comity.node.node import Node
from comity.policies.facts import PeerStatus
from tests.support.institutes import HandClock, Institute
from tests.support.network import make_home
from tests.support.random_network import RandomNetwork
from tests.support.record_plans import RecordPlan
from tests.support.reference_view import NAMES, PURPOSES


class Homes:
    """Homes and befriended, empty databases, made once and copied for each network."""

    def __init__(self, root: Path) -> None:
        self._homes = [make_home(root, name) for name in NAMES]
        nodes = [Node(home) for home in self._homes]
        for one, other in permutations(nodes, 2):
            one.add_peer(other.bundle, PeerStatus.MEMBER, PURPOSES[other.institute])
        for node in nodes:
            node.close()

    @contextmanager
    def network(self, stock: Sequence[RecordPlan]) -> Iterator[RandomNetwork]:
        """Yield a network in which nothing has happened; records are published from ``stock``."""
        clock = HandClock()
        # embargoes and treaties are dated in whole seconds
        clock.now -= clock.now % 1000
        made = [Institute(Node(self._fresh(home), clock)) for home in self._homes]
        try:
            yield RandomNetwork(made, clock, stock)
        finally:
            for one in made:
                one.node.close()

    def _fresh(self, home: Home) -> Home:
        origin, copy = home.path, home.path.with_suffix(".copy")
        if copy.exists():
            shutil.rmtree(copy)
        shutil.copytree(origin, copy)
        return Home(copy)
