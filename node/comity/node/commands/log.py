"""This institute's own logs: their state, and a new log after entries were lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import note, print_json, print_table, say, table, text, warn
from comity.node.commands.keys.root_output import Output, amend, print_draft
from comity.node.commands.options import open_node
from comity.node.trust.new_log import begin_listed_log, describe_logs, make_new_log
from comity.node.trust.root_ceremony import RootRequest, read_draft


def comity_node_log_list(context: typer.Context, as_json: JsonOption = False) -> None:
    """List this institute's logs, the present one last.

    The state of a log is "signed", "halted" with the reason, or "closed". What peers hold against a
    log is the size of a checkpoint that this database lacks.

    Examples:
        comity-node log list --json
    """
    with open_node(context) as node:
        values = describe_logs(node)
    if as_json:
        print_json(values)
        return

    grid = table("log", "leaves", "signed", "peers hold", "state")
    for value in values:
        told = "-" if value["toldSize"] is None else str(value["toldSize"])
        cells = (value["origin"], str(value["size"]), str(value["signed"]), told)
        grid.add_row(*map(text, cells), _state(value))
    print_table(grid, "")


def comity_node_log_new(
    context: typer.Context, output: Output = None, as_json: JsonOption = False
) -> None:
    """Begin a new log in place of one that was halted.

    A log is halted once signed entries may be lost. It is never signed again: any other entry in
    their place would be a second history under one key, and peers would keep a proof of it. Look
    for a newer backup first, since what only it holds is not in the new log either.

    The new log has a key and a name of its own, and begins with the entries that are left. With a
    root, the command prepares the root's next version. The new log begins once that is published,
    and peers follow by themselves. Without a root it begins at once, and peers have to pin the new
    bundle by hand. Evidence from the old log stays valid.

    Examples:
        comity-node log new
        comity-node root sign 2.root.json --key alice.key   # each holder, offline
        comity-node root publish 2.root.json
    """
    with open_node(context) as node:
        name = make_new_log(node)
        # a first root that is still being signed counts too: the key must get into it
        path = output or Path("1.root.json")
        if node.own.root is not None or read_draft(node, path) is not None:
            root, path = amend(node, output, RootRequest())
            print_draft(root, node.own.root, path, as_json=as_json)
            if not as_json:
                note(f"{name} begins once this version is published.")
            return
        begin_listed_log(node)
        fingerprint = node.bundle.fingerprint

    if as_json:
        print_json({"origin": name, "fingerprint": fingerprint})
        return
    say(f"{name} has begun.")
    warn("peers see the new log only once they pin your new bundle", "comity-node bundle")


def _state(value: dict[str, Any]) -> Any:
    if value["state"] == "halted":
        return text(f"halted: {value['halted']}", "red")
    return text(value["state"])
