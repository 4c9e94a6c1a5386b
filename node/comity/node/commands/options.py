"""What every command starts from: the home that is meant, and the node's domain on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.exc import OperationalError

from comity.node.database.failures import advice
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.record.errors import BadConfig

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
        BadConfig: there is no home, the database cannot be opened or is another institute's, or it
            fails while the command works: full, locked, or out of reach.
    """
    home = open_home(context)
    try:
        # closing writes the mark, and fails as well where the database is gone
        with closing(Node(home)) as node:
            yield node
    except OperationalError as error:
        said = " ".join(str(error.orig).split())
        stays = "what was committed before stays, and a running node goes on from there"
        hint = f"{advice(error)}; {stays}"
        raise BadConfig(said, field="database", hint=hint) from error
