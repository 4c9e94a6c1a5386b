"""What every command on a node starts from: the home folder that is meant, and the node on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import structlog
import typer
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from comity.client.terminal import warn
from comity.node.database.failures import advice
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.node.policy.versions import policy_in_force
from comity.node.server.log_output import configure_logs
from comity.record.errors import BadConfig

POLICY_HINT: Final = "comity-node policy set --preset balanced, or with a policy of your own"


def home_folder(context: typer.Context) -> Path:
    """Return the folder that --home or COMITY_HOME names, by default ~/.comity."""
    folder: Path = context.obj
    return folder


def open_home(context: typer.Context) -> Home:
    """Return the home of the node; from here on only warnings are logged.

    Raises:
        BadConfig: there is none, or its settings are not acceptable.
    """
    # a command prints itself what it has to say; the log of a process that holds it is its own
    if not structlog.is_configured():
        configure_logs(level=logging.WARNING)

    home = Home(home_folder(context))
    # read now, so that a fault in comity.toml is told before any work begins
    _ = home.settings
    return home


@contextmanager
def open_node(context: typer.Context) -> Iterator[Node]:
    """Open the node on its home and database, which works while the node runs too.

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


def warn_without_policy(session: Session) -> None:
    """Warn on stderr if no policy is set, since peers are then given nothing."""
    if not policy_in_force(session).is_set:
        warn("no policy is set, so peers are given nothing", POLICY_HINT)
