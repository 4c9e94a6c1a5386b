"""What every command starts from: the home that is meant, and the node's domain on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from comity.node.home import Home
from comity.node.node import Node

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def home_folder(context: typer.Context) -> Path:
    """Return the folder that --home or COMITY_HOME names, by default ~/.comity."""
    folder: Path = context.obj
    return folder


def open_home(context: typer.Context) -> Home:
    """Return the home that is there.

    Raises:
        BadConfig: there is none, or its settings are not acceptable.
    """
    home = Home(home_folder(context))
    _ = home.settings
    return home


@contextmanager
def open_node(context: typer.Context) -> Iterator[Node]:
    """Open the home's database, also while the node runs.

    Raises:
        BadConfig: there is no home, or the database cannot be opened or is another institute's.
    """
    node = Node(open_home(context))
    try:
        yield node
    finally:
        node.close()
