"""Backing a node up into one file, and restoring it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import note, print_fields, print_json, warn
from comity.node.commands.options import home_folder, open_node
from comity.node.commands.passphrase import ask_new_passphrase, ask_passphrase
from comity.node.commands.recover import print_recovery_steps, recovery_value
from comity.node.database.clock import system_clock
from comity.node.server.backup import make_backup, restore_backup


def comity_node_backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; must not exist.")],
    keys: Annotated[
        bool, typer.Option("--keys", help="Add the private keys, under a passphrase.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a backup of the node, which may run meanwhile.

    The file holds one state of the database, SQLite or PostgreSQL, the settings and the
    certificates. The address of the database, with its password, is left out. So are the private
    keys, unless --keys is given: then they are encrypted with a passphrase, which is asked for at
    the terminal or read from a pipe.

    Examples:
        comity-node backup /backup/uk.backup
        comity-node backup /backup/uk.backup --keys
        comity-node backup /backup/uk.backup --keys < /run/secrets/passphrase
    """
    with open_node(context) as node:
        without = "leave out --keys to keep them out"
        passphrase = ask_new_passphrase("Passphrase for the keys: ", without) if keys else None
        made = make_backup(node.home, node.store, file, passphrase, system_clock(), note)
    if as_json:
        print_json({"file": str(file), "keys": keys, **made})
    else:
        log = f"{made['log']['size']} leaves"
        print_fields({"file": file, "commit": made["commits"], "log": log, "keys": keys})
    if not keys:
        hint = f"copy {node.home.keys} to a safe place, or run it with --keys"
        warn("the private keys are not in this backup", hint)


def comity_node_restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of comity-node backup.")],
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="An empty database; by default SQLite in the home."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a home and a database from a backup.

    The home must not exist, and the database must be empty. It may be of another kind than before.
    What was done after the backup is lost, so the database is recovered as comity-node recover does
    it: peers begin again, and the log stays halted, since entries that it signed may be lost.
    comity-node log new begins a new one in its place.

    Examples:
        comity-node --home /srv/comity restore /backup/uk.backup
        comity-node restore /backup/uk.backup --database postgresql+psycopg://comity@db/comity
    """
    path = home_folder(context)
    done = restore_backup(
        *(file, path, database),
        lambda: ask_passphrase("Passphrase of the keys in the backup: "),
        system_clock(),
    )
    if as_json:
        value = recovery_value(done.recovered)
        print_json({"home": str(path), "keys": done.keys, "time": done.manifest["time"], **value})
    else:
        made = done.manifest
        print_fields({"home": path, "time": made["time"], "commit": made["commits"]})
    if not done.keys:
        warn("the backup holds no private keys", f"put your copy of them into {path}/keys first")
    print_recovery_steps(done.home, done.recovered)
