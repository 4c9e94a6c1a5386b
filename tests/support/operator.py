"""An operator at work: a command line, and the domain beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comity.node.node import Node
from tests.support.command_line import Ended, Run
from tests.support.institutes import Institute
from tests.support.network import befriend, make_home

UK, CA = "uk.aisi.example", "ca.aisi.example"


class Operator:
    """An operator of uk, whose only peer is ca: a command line, and the domain beside it."""

    def __init__(self, uk: Institute, ca: Institute, run: Run) -> None:
        self.uk, self.ca = uk, ca
        self._run = run

    def __call__(self, *arguments: str) -> Ended:
        """Run ``comity-node`` on uk's home."""
        return self._run("--home", str(self.uk.node.home.path), *arguments)


@contextmanager
def operator_of_uk(root: Path, run: Run) -> Iterator[Operator]:
    """Yield the desk of uk, whose only peer is ca."""
    uk, ca = (Institute(Node(make_home(root, name))) for name in (UK, CA))
    befriend(uk, ca)
    befriend(ca, uk)
    yield Operator(uk, ca, run)
    for one in (uk, ca):
        one.node.close()
