"""Where in a TOML file a value stands: Python's reader tells no lines of what it has read.

The file is cut into statements, the lines from one key or table heading to the next, and each is
read by itself. Invariant: only text that is TOML as a whole is looked at, so every statement is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, Final

Path = tuple[str | int, ...]

_HEADING: Final = re.compile(r"\s*(\[{1,2})(.+?)\]{1,2}\s*(#.*)?")


def line_of(text: str, path: Path) -> int:
    """Return the line, counted from 1, of what stands at ``path``, or else of what it stands in.

    A path is made of keys and of positions in arrays, as in ``("institute", 0, "issues", 2)``.
    """
    best, found = 0, 1
    for number, lines, prefix, value in _statements(text):
        depth = _shared(value, path, prefix)
        if depth > best:
            best, found = depth, number + _line_within(lines, path[len(prefix) :])
    return found


def _statements(text: str) -> Iterator[tuple[int, list[str], Path, Any]]:
    """Yield each statement: its first line's number, its lines, its table's path and its value."""
    table: Path = ()
    counts: dict[Path, int] = {}
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        end = number + 1
        if heading := _HEADING.fullmatch(lines[number]):
            table = _opened(heading, counts)
            yield number + 1, lines[number:end], table, {}
        elif lines[number].strip():
            while (value := _read(lines[number:end])) is None and end < len(lines):
                end += 1
            yield number + 1, lines[number:end], table, value or {}
        number = end


def _opened(heading: re.Match[str], counts: dict[Path, int]) -> Path:
    path: Path = ()
    names = [name.strip().strip("\"'") for name in heading[2].split(".")]
    for depth, name in enumerate(names, start=1):
        path += (name,)
        last = depth == len(names)
        if last and heading[1] == "[[":
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path += (counts[path],)
    return path


def _read(lines: Sequence[str]) -> Any:
    try:
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return None


def _shared(value: Any, path: Path, prefix: Path) -> int:
    """Return how many steps of ``path`` lead into the statement; 0 if it lies elsewhere."""
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


def _line_within(lines: Sequence[str], path: Path) -> int:
    """Return on which line of its statement the last key of ``path`` stands, counted from 0."""
    keys = [step for step in path if isinstance(step, str)]
    if not keys:
        return 0
    pattern = re.compile(rf"(^|[\s{{,\"']){re.escape(keys[-1])}[\"']?\s*=")
    return next((n for n, line in enumerate(lines) if pattern.search(line)), 0)
