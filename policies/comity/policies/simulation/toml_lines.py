"""Line numbers of the values in a TOML file, which ``tomllib`` does not report.

The file is cut into statements, from one key or table heading to the next, at each line break that
is not within an array, an inline table or a string. Each statement is then parsed by itself.
Invariant: only text that is valid TOML as a whole is looked at, so every statement is valid too.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

Path = tuple[str | int, ...]

_HEADING: Final = re.compile(r"\s*(\[{1,2})(.+?)\]{1,2}\s*(#.*)?")

_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # it may end in quotes of its own
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|#[^\n]*|[\[\]{},\n]",
    re.DOTALL,
)
"""Tokens by which the ends of statements and of array elements are found."""

_GAP: Final = re.compile(r"(?:\s|#[^\n]*)*")


def line_of(text: str, path: Path) -> int:
    """Return the line, counted from 1, of the value at ``path``.

    If there is no such value, the line is that of the innermost table or array that would hold it.
    A path has keys, and positions in arrays, as in ``("institute", 0, "issues", 2)``.
    """
    best, found = 0, 1
    for number, statement, prefix, value in _statements(text.replace("\r\n", "\n")):
        depth = _shared(value, path, prefix)
        if depth > best:
            best, found = depth, number + _line_within(statement, path[len(prefix) :])
    return found


def _statements(text: str) -> Iterator[tuple[int, str, Path, Any]]:
    """Yield each statement: its first line's number, its text, its table's path and its value."""
    table: Path = ()
    counts: dict[Path, int] = {}
    number = 1
    for statement in _cut(text):
        if heading := _HEADING.fullmatch(statement):
            table = _opened(heading, counts)
            yield number, statement, table, {}
        elif statement.strip():
            yield number, statement, table, tomllib.loads(statement)
        number += statement.count("\n") + 1


def _cut(text: str) -> Iterator[str]:
    """Yield the texts of the statements, empty lines and comments among them."""
    depth = start = 0
    for token in _TOKEN.finditer(text):
        depth += _deeper(token[0])
        if token[0] == "\n" and not depth:
            yield text[start : token.start()]
            start = token.end()
    yield text[start:]


def _deeper(token: str) -> int:
    return 1 if token in ("[", "{") else -1 if token in ("]", "}") else 0


def _opened(heading: re.Match[str], counts: dict[Path, int]) -> Path:
    path: Path = ()
    names = [name.strip().strip("\"'") for name in heading[2].split(".")]
    for depth, name in enumerate(names, start=1):
        path += (name,)
        # [[name]] opens the next table of an array; other headings speak of its newest table
        last = depth == len(names)
        if last and heading[1] == "[[":
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path += (counts[path],)
    return path


def _shared(value: Any, path: Path, prefix: Path) -> int:
    """Return how many steps of ``path`` lead into a statement; 0 if it is about another table."""
    if path[: len(prefix)] != prefix:
        return 0
    depth = len(prefix)
    for step in path[depth:]:
        inside = isinstance(value, dict) and step in value
        if not inside and not (isinstance(value, list) and step in range(len(value))):
            break
        value = value[step]
        depth += 1
    return depth


def _line_within(statement: str, path: Path) -> int:
    """Return the line of a statement, counted from 0, on which the last key of ``path`` stands."""
    keys = [step for step in path if isinstance(step, str)]
    if not keys:
        return 0
    # within an array of inline tables, the key is looked for from the element on
    position = path[1] if len(path) > 1 else None
    start = _element(statement, position) if isinstance(position, int) else 0
    pattern = re.compile(rf"(?:^|[\s{{,\"']){re.escape(keys[-1])}[\"']?\s*(=)", re.MULTILINE)
    key = pattern.search(statement, start) if keys[-1] != path[0] else None
    return statement.count("\n", 0, key.start(1) if key else start)


def _element(statement: str, position: int) -> int:
    """Return the offset at which an element of a statement's array begins."""
    depth = passed = 0
    for token in _TOKEN.finditer(statement):
        depth += _deeper(token[0])
        if depth == 1 and token[0] in ("[", ","):
            if passed == position:
                gap = _GAP.match(statement, token.end())
                return gap.end() if gap else token.end()
            passed += 1
    return 0
