"""Recovering from a database that was restored from an older backup."""

from __future__ import annotations

from typing import Annotated

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import (
    agrees,
    note,
    print_fields,
    print_json,
)
from comity.node.commands.options import open_home
from comity.node.database.clock import system_clock
from comity.node.database.progress_mark import Mark, Progress
from comity.node.database.store import Store
from comity.node.home.folder import Home
from comity.node.server.recovery import Recovered, check_behind, last_mark, recover_database
from comity.node.witness.halting import RESTORED
from comity.record.errors import BadConfig


def comity_node_recover(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a database from an older backup usable.

    Stop the node first, and look for a newer copy of the database: whatever only that copy holds is
    lost. Peers then pull from the start, and no record arrives twice. The node's own log is
    halted if it may have lost entries that it signed, and comity-node log new is the way on. The
    logs that it witnesses stay halted until you resume them.

    Examples:
        comity-node recover
        comity-node recover --yes --json
    """
    home = open_home(context)
    # a node that still serves would go on in the life that ends here
    with home.locked_for_serving():
        done = _recover(home, yes=yes)
    if as_json:
        print_json(recovery_value(done))
    else:
        value = recovery_value(done)
        print_fields({name: "unknown" if item is None else item for name, item in value.items()})
    print_recovery_steps(home, done)


def _recover(home: Home, *, yes: bool) -> Recovered:
    # no Node, which refuses a database that is behind its mark
    store, mark = Store(home.settings.database_url), Mark(home.state)
    try:
        store.upgrade()
        # another institute's database is refused before anything is asked or changed
        store.claim(home.institute)
        marked = last_mark(mark)
        with store.read() as session:
            check_behind(Progress.of(session), marked)
        if not yes:
            _ask(store, marked)
        return recover_database(store, mark, system_clock())
    finally:
        store.close()


def _ask(store: Store, marked: Progress | None) -> None:
    with store.read() as session:
        found = Progress.of(session)
    # the mark can be lost too; then only the operator knows how far the database had come
    reached = marked.commits if marked else "unknown"
    note(f"database     commit {found.commits}, life {found.epoch[:12]}…")
    life = f", life {marked.epoch[:12]}…" if marked else ""
    note(f"had reached  commit {reached}{life}")
    if not agrees("Is there no newer copy of the database?"):
        hint = "put the newest copy of the database back, or answer y, or add --yes"
        raise BadConfig("not confirmed; nothing was changed", field="database", hint=hint)


def print_recovery_steps(home: Home, done: Recovered) -> None:
    """Say on stderr what an operator does after a recovery."""
    note("Next:")
    note("  comity-node run                       peers begin again by themselves")
    if done.log_halted:
        # a signature over other leaves than the lost ones is a lasting proof against the institute
        note("  your log takes no records: entries that it signed may be lost")
        note("    look for a newer backup; only if there is none:")
        note("  comity-node log new                   a new log in its place")
    if done.witnessed_halted:
        note("  comity-node witness list              logs that are cosigned no more")
    note(f"  comity-node alarms clear {home.institute} {RESTORED}")


def recovery_value(done: Recovered) -> dict[str, object]:
    """Return what a recovery found and did, for JSON."""
    return {
        "commit": done.found.commits,
        "reachedCommit": done.marked.commits if done.marked else None,
        "epoch": done.epoch,
        "logHalted": done.log_halted,
        "witnessedLogsHalted": done.witnessed_halted,
    }
