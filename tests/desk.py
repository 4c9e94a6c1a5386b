"""An operator at work: a command line, and the domain beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from comity.client import terminal
from comity.node.cli import app
from comity.node.node import Node
from tests.exchange import Institute, befriend
from tests.network import make_home

UK, CA = "uk.aisi.example", "ca.aisi.example"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Desk:
    """An operator of uk, whose only peer is ca: a command line, and the domain beside it."""

    def __init__(self, uk: Institute, ca: Institute, capsys: pytest.CaptureFixture[str]) -> None:
        self.uk, self.ca = uk, ca
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        """Run ``comity-node`` on uk's home."""
        with pytest.raises(SystemExit) as ended:
            terminal.run(app, ["--home", str(self.uk.node.home.path), *arguments])
        captured = self._capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, captured.out, captured.err)


@contextmanager
def at_desk(root: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """Yield the desk of uk, whose only peer is ca."""
    uk, ca = (Institute(Node(make_home(root, name))) for name in (UK, CA))
    befriend(uk, ca)
    befriend(ca, uk)
    yield Desk(uk, ca, capsys)
    for one in (uk, ca):
        one.node.close()
