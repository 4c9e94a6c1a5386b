"""What every command starts from: the home that is meant, and its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from comity.node.home import Home
from comity.node.store import Store

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
def open_store(home: Home) -> Iterator[Store]:
    """Open the home's database at the current schema, also while the node runs.

    Raises:
        BadConfig: it cannot be opened, or is another institute's.

    """
    store = Store(home.settings.database_url)
    try:
        store.upgrade()
        store.claim(home.institute)
        yield store
    finally:
        store.close()
