"""People at their terminal: commands in the test's own process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import pytest
from typer.core import TyperGroup

from comity.client.command_line import Command, CommandGroup
from comity.client.command_line import run as run_command


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The printed JSON, parsed."""
        return json.loads(self.out)


Run = Callable[..., Ended]


def runner(
    program: TyperGroup, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs a command line of a program, with answers to prompts."""

    def run(*arguments: str, answer: str = "") -> Ended:
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        with pytest.raises(SystemExit) as ended:
            run_command(program, arguments)
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, captured.out, captured.err)

    return run


def printed(program: TyperGroup, *arguments: str) -> str:
    """Return what a command line that ends well prints to stdout."""
    with redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit) as ended:
        run_command(program, arguments)
    assert ended.value.code == 0, arguments
    return out.getvalue()


def commands(group: CommandGroup, *words: str) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Yield each command of a table, by the words that follow the program's name."""
    for row in group.commands:
        if isinstance(row, Command):
            yield (*words, row.name), row
        else:
            yield from commands(row, *words, row.name)


def init(run: Run, institute: str = "uk.aisi.example", home: str = "uk", port: int = 7000) -> Ended:
    """Make a home."""
    return run(
        *("--home", home, "init", "--institute", institute, "--name", f"en=Institute {institute}"),
        *("--name", "fr=Institut", "--address", f"127.0.0.1:{port}"),
    )
