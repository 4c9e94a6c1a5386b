"""The terminal: tables stay legible at any width, and whole in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from comity.client import terminal
from comity.client.terminal import print_table, table, text

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
WHY = "withheld until three more evaluations have come from ca.aisi.example"
ROW = ("2026-11-22T10:08:20Z", "ca.aisi.example", DIGEST, WHY, "12")
HEADINGS = ("released", "peer", "policy", "why", "times")
WORDS = {*HEADINGS, *WHY.split(), *ROW} - {DIGEST, WHY}


def shown(monkeypatch: pytest.MonkeyPatch, width: int, *rows: tuple[str, ...]) -> list[str]:
    """Print a table on a terminal; return its lines."""
    screen = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width)
    monkeypatch.setattr(terminal, "out", screen)
    grid = table(*HEADINGS)
    for row in rows:
        grid.add_row(*map(text, row))
    print_table(grid)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 90, 100, 120, 200])
def test_words_of_a_table_are_never_broken_and_ids_lose_nothing(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    lines = shown(monkeypatch, width, ROW, ROW)
    assert max(map(len, lines)) <= width
    words = [word for line in lines for word in line.split()]
    assert set(words) >= WORDS
    pieces = [word for word in words if word in DIGEST and word != "12"]
    assert "".join(pieces) == DIGEST * 2


def test_a_table_is_a_table_wherever_its_words_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, *_ = shown(monkeypatch, 100, ROW)
    assert first.split() == list(HEADINGS)
    assert second.startswith("2026-11-22T10:08:20Z  ca.aisi.example  9f86")


def test_a_narrow_terminal_shows_a_block_of_lines_for_each_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [line.rstrip() for line in shown(monkeypatch, 60, (*ROW[:3], "", "1"), ROW)]
    assert lines[:2] == ["released 2026-11-22T10:08:20Z", "peer     ca.aisi.example"]
    # a block has no line for what is empty
    assert lines[4:6] == ["times    1", ""]


def test_a_cell_of_plain_text_can_neither_draw_nor_begin_a_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=100)
    monkeypatch.setattr(terminal, "out", screen)
    grid = table("peer", "note")
    grid.add_row("ca\nus.aisi.example", "\x1b[2J\u202e")
    print_table(grid)
    assert isinstance(screen.file, io.StringIO)
    assert len(screen.file.getvalue().splitlines()) == 2
    assert "\\x1b[2J\\u202e" in screen.file.getvalue()


def test_a_table_without_rows_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown(monkeypatch, 20)
    assert capsys.readouterr().err == "nothing found\n"
