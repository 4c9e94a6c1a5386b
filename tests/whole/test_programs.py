"""The two programs as they start."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest


class Interrupted(ModuleType):
    """A module that is interrupted while it is being loaded."""

    def __getattr__(self, name: str) -> object:
        raise KeyboardInterrupt


@pytest.mark.parametrize("program", ["comity.client", "comity.node"])
def test_an_interrupt_while_commands_are_loaded_ends_the_program_quietly(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, f"{program}.commands.app", Interrupted("app"))
    start = importlib.import_module(f"{program}.__main__").main
    with pytest.raises(SystemExit) as ended:
        start()
    assert ended.value.code == 130
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
