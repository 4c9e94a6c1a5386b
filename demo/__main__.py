"""``python -m demo run`` and ``python -m demo stop``.

Exit code 0: every part went where handling and policies say, and nowhere else, and every log holds
what it must and is witnessed. 1: a difference, or an error. 130: interrupted.
"""

from __future__ import annotations

import asyncio
import signal
from types import FrameType
from typing import Annotated

import typer

from comity.client.command_line import run
from comity.client.terminal import out
from demo.acts import play
from demo.network import FOLDER
from demo.processes import stop_network
from demo.story import set_width

app = typer.Typer(
    name="python -m demo",
    help="Eleven sample institutes on this machine, exchanging cards about real models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command(name="run")
def run_(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the network up.")] = False,
) -> None:
    """Start the network, let it replicate, and check the outcome."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    set_width()
    outcome = asyncio.run(play(FOLDER, keep=keep))
    if outcome.differences:
        raise typer.Exit(1)


@app.command()
def stop() -> None:
    """End a network that was left up."""
    stopped = stop_network(FOLDER)
    out.print(f"Ended {len(stopped)} nodes: {', '.join(stopped)}." if stopped else "None is up.")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


run(typer.main.get_group(app))
