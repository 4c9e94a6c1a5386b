"""``comity-node``: the command of the operators who run an institute's node.

Commands work on the home folder and its database directly, whether the node runs or not; a
running node follows what they change. Invariant: this module and ``commands`` hold no rules of
the domain; they read arguments, call it, and print.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from comity.client.terminal import command_group, out, run
from comity.node import VERSION
from comity.node.commands import (
    alarms,
    peers,
    publish,
    recover,
    serve,
    setup,
    standing,
    witness,
)
from comity.node.commands.keys import certificate, keys, root
from comity.node.commands.policy import explain, simulate, treaty, trial
from comity.node.commands.policy import versions as policy
from comity.node.server.log_output import configure_logs

app = command_group(
    "Run an institute's node: exchange signed information about AI models with peers.",
    "comity-node init --institute uk.aisi.example --name en='AI Security Institute' \\",
    "    --address comity.aisi.example:7000",
    "comity-node peers add ca.aisi.example.bundle.json",
    "comity-node policy set --preset balanced",
    "comity-node run",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"comity-node {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    home: Annotated[
        Path, typer.Option(envvar="COMITY_HOME", metavar="DIR", help="The node's home folder.")
    ] = Path("~/.comity"),
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print version."),
    ] = False,
) -> None:
    context.obj = home.expanduser()


setup.register(app)
serve.register(app)
publish.register(app)
recover.register(app)
standing.register(app)
app.add_typer(certificate.app, name="certificate")
app.add_typer(peers.app, name="peers")
app.add_typer(keys.app, name="keys")
app.add_typer(root.app, name="root")
app.add_typer(policy.app, name="policy")
app.add_typer(treaty.app, name="treaty")
app.add_typer(witness.app, name="witness")
app.add_typer(alarms.app, name="alarms")
trial.register(policy.app)
explain.register(policy.app)
simulate.register(policy.app)


def main() -> None:
    """Run ``comity-node`` with this process's arguments."""
    # what a command has to say, it says itself; run tells more
    configure_logs(level=logging.WARNING)
    run(app)
