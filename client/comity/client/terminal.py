"""The terminal: how both programs print, ask, and tell errors.

Invariants: text from records and from the wire reaches the terminal only through ``visible`` or
``text``, so that it can neither send control sequences nor write in Rich's markup; data goes to
stdout, everything else to stderr.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TextIO, TypeVar

import typer
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Column, Table
from rich.text import Text

from comity.record.errors import BadDraft, ComityError

T = TypeVar("T")

out: Final = Console(markup=False, highlight=False, emoji=False)
"""Standard output. Give it ``Text``, tables, or text that this program wrote itself."""

err: Final = Console(markup=False, highlight=False, emoji=False, stderr=True)
"""Standard error: progress, warnings, hints."""

_ANY_WIDTH: Final = 1 << 20
"""Width in columns of a pipe or a file."""

_WORD_COLUMNS: Final = 28
"""The longest word that is kept whole: a longer one is an id or a path, and may be broken."""

_GAP: Final = 2
"""Columns that Rich leaves for each column's padding, at the edges as well."""

_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    "\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]"
)
"""Controls (but tab and line feed), line separators, surrogates; format characters (Unicode Cf),
such as bidirectional ones and tags; variation selectors, and letters without a shape."""

_HANGING: Final = 2
"""Columns by which the rest of a wrapped line stands further to the right."""

_LEAST_COLUMNS: Final = 20
"""Columns that text gets however far it is indented."""

_NOT_IN_LINE: Final = re.compile(r"[\t\n]+")


def visible(value: str) -> str:
    r"""Return text that is safe to print: what steers or is unseen is spelled out (``\x1b``)."""
    return _UNSEEN.sub(_spell, value)


def text(value: str, style: str = "") -> Text:
    """Return text from outside as one line, for a console or a table cell."""
    return Text(_NOT_IN_LINE.sub(" ", visible(value)), style)


def say(line: str | Text, style: str = "") -> None:
    """Print a line of data to stdout; a terminal wraps it, a pipe gets it whole."""
    _print_line(out, line, style)


def note(line: str | Text = "", style: str = "") -> None:
    """Print a line to stderr: what is to do next, or is worth knowing beside the data."""
    _print_line(err, line, style)


def warn(message: str, hint: str = "") -> None:
    """Print a warning to stderr, and a hint at what to do about it."""
    _print_labelled("warning", "bold yellow", [message], hint)


def agrees(question: str) -> bool:
    """Ask on stderr; return True if the answer is yes, False also if there is none."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        note()  # ends the line of the question
        return False


def progress(items: Sequence[T], doing: str) -> Iterator[T]:
    """Yield items, and show on a terminal how far the work on them has come."""
    # imported here because it takes as long as what most commands do
    from rich.progress import track

    quiet = len(items) < 2 or not err.is_terminal
    yield from track(items, doing, console=err, transient=True, disable=quiet, show_speed=False)


def print_json(value: Any, *, indent: int | None = 2) -> None:
    """Print JSON to stdout; ``indent`` None gives one line."""
    _write_json(sys.stdout, value, indent)


def print_text(lines: Text) -> None:
    """Print text, which a terminal wraps at words and a pipe gets as it is.

    What a terminal wraps goes on further to the right than its line began, so that no text of a
    record reaches the column where labels stand.
    """
    if not out.is_terminal:
        out.print(lines, soft_wrap=True)
        return

    for line in lines.split("\n", allow_blank=True):
        begin = len(line.plain) - len(line.plain.lstrip(" "))
        width = max(out.width - begin - _HANGING, _LEAST_COLUMNS)
        wrapped = line[begin:].wrap(out, width) or [Text()]
        for number, piece in enumerate(wrapped):
            _print_line(out, Text(" " * (begin + (_HANGING if number else 0))) + piece)


def table(*columns: str) -> Table:
    """Return an empty table with these headings, without lines around it."""
    grid = _Rows(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        grid.add_column(heading, overflow="fold")
    return grid


def print_table(rows: Table, empty: str = "nothing found") -> None:
    """Print a table; into a pipe it is as wide as its text, so that nothing is broken.

    If a terminal is too narrow for the table's words, each row becomes a block of lines. If there
    are no rows, ``empty`` is printed on stderr.
    """
    if not out.is_terminal:
        Console(markup=False, highlight=False, emoji=False, width=_ANY_WIDTH).print(rows)
    elif widths := _widths(rows, out.width):
        for column, width in zip(rows.columns, widths, strict=True):
            column.width = width
        out.print(rows)
    else:
        _print_blocks(rows)
    if not rows.row_count:
        err.print(empty)


def print_fields(fields: Mapping[str, object]) -> None:
    """Print one value a line, each after its name in words (softwareVersion: software version)."""
    names = {name: re.sub("[A-Z]", lambda m: f" {m[0].lower()}", name) for name in fields}
    width = max(map(len, names.values()))
    for name, value in fields.items():
        say(f"{names[name]:<{width}}  {value}")


def print_error(error: ComityError, *, as_json: bool) -> None:
    """Print an error on stderr: a line, one for each fault of a draft, a hint; or JSON."""
    if as_json:
        names = ("reason", "field", "message", "hint")
        value = {"error": {name: getattr(error, name) for name in names}}
        _write_json(sys.stderr, value, None)
        return
    lines = str(error).split("\n") if isinstance(error, BadDraft) else [str(error)]
    _print_labelled("error", "bold red", lines, error.hint)


class _Rows(Table):
    """A table whose cells of plain text are as safe to print as those that ``text`` made."""

    def add_row(self, *cells: RenderableType | None, **more: Any) -> None:
        made = (text(cell) if isinstance(cell, str) else cell for cell in cells)
        super().add_row(*made, **more)


def _widths(rows: Table, room: int) -> list[int]:
    """Return a width for each column in which its words stand whole; [] if there is no room."""
    cells = [[Text(str(c.header)), *map(_as_text, c.cells)] for c in rows.columns]
    widths = [max(_longest_word(cell) for cell in column) for column in cells]
    spare = room - sum(widths) - _GAP * len(widths)
    if spare < 0:
        return []
    wishes = [
        max(cell.cell_len for cell in column) - width
        for column, width in zip(cells, widths, strict=True)
    ]
    # columns with small wishes get them, and the rest is shared by the others
    order = sorted(range(len(widths)), key=wishes.__getitem__)
    for served, index in enumerate(order):
        extra = min(wishes[index], spare // (len(order) - served))
        widths[index] += extra
        spare -= extra
    return widths


def _print_blocks(rows: Table) -> None:
    headings = [str(column.header) for column in rows.columns]
    width = max(map(len, headings))

    for number, row in enumerate(zip(*(column.cells for column in rows.columns), strict=True)):
        if number:
            out.print()

        block = Table.grid(
            Column(width=width, style="bold"), Column(overflow="fold"), padding=(0, 1)
        )
        for heading, cell in zip(headings, row, strict=True):
            if _as_text(cell):
                block.add_row(heading, cell)

        out.print(block)


def _as_text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


def _longest_word(cell: Text) -> int:
    words = (cell_len(word) for word in cell.plain.split())
    return max((min(word, _WORD_COLUMNS) for word in words), default=0)


def _print_line(console: Console, line: str | Text, style: str = "") -> None:
    # soft: a pipe gets the line whole, and so does a person who copies it
    console.print(text(line, style) if isinstance(line, str) else line, soft_wrap=True)


def _print_labelled(label: str, style: str, lines: Sequence[str], hint: str) -> None:
    _print_line(err, Text.assemble((f"{label}: ", style), *map(text, lines[:1])))
    for line in lines[1:]:
        _print_line(err, text(f"  {line.strip()}"))
    if hint:
        _print_line(err, Text.assemble(("hint: ", "bold"), text(hint)))


def _write_json(stream: TextIO, value: Any, indent: int | None) -> None:
    # JSON escapes C0 itself; everything else that could steer a terminal stands inside strings
    encoded = json.dumps(value, ensure_ascii=False, indent=indent)
    stream.write(_UNSEEN.sub(lambda match: json.dumps(match[0])[1:-1], encoded) + "\n")
    stream.flush()


def _spell(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
