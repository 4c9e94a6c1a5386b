"""People at their terminal: commands in the test's own process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import typer

from comity.client import terminal


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, parsed."""
        return json.loads(self.out)


Run = Callable[..., Ended]


def runner(
    app: typer.Typer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs a command line of an application, with answers to prompts."""

    def run(*arguments: str, answer: str = "") -> Ended:
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        with pytest.raises(SystemExit) as ended:
            terminal.run(app, arguments)
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, captured.out, captured.err)

    return run


def init(run: Run, institute: str = "uk.aisi.example", home: str = "uk", port: int = 7000) -> Ended:
    """Make a home."""
    return run(
        *("--home", home, "init", "--institute", institute, "--name", f"en=Institute {institute}"),
        *("--name", "fr=Institut", "--address", f"127.0.0.1:{port}"),
    )
