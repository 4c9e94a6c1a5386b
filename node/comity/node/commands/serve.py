"""Serving an institute's node."""

from __future__ import annotations

import asyncio

import typer

from comity.node.commands.options import open_home
from comity.node.server.log_output import configure_logs
from comity.node.server.process import serve


def comity_node_run(context: typer.Context) -> None:
    """Serve the institute's people and its peers until interrupted.

    Logs go to stderr: as key=value on a terminal, else as one JSON object a line. Several processes
    may serve one PostgreSQL database; a home with SQLite has one process.

    Examples:
        comity-node run
        comity-node run 2>> comity.log
    """
    home = open_home(context)
    # open_home lets only warnings through; a server also logs what it does
    configure_logs()
    # two processes on one SQLite database would both pull from every peer, and both sign
    with home.locked_for_serving():
        asyncio.run(serve(home))
