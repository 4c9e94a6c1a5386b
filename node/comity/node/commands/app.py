"""``comity-node``: the command of the operators who run an institute's node.

Commands work on the home folder and its database directly, whether the node runs or not; a
running node follows what they change. Invariant: the commands hold no rules of the domain; they
read arguments, call it, and print.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer

from comity.client.command_line import Command, CommandGroup, VersionOption, build_program, run

COMITY_NODE: Final = CommandGroup(
    "comity-node",
    "Run an institute's node: exchange signed information about AI models with peers.",
    (
        "comity-node init --institute uk.aisi.example --name en='AI Security Institute' \\",
        "    --address comity.aisi.example:7000",
        "comity-node peers add ca.aisi.example.bundle.json",
        "comity-node policy set --preset balanced",
        "comity-node run",
    ),
    (
        Command("init", "setup", "Make a node's home: settings, keys, certificates."),
        Command("bundle", "setup", "Print the file that peers pin, and its fingerprint."),
        Command("grant", "setup", "Make a profile for a person of the institute."),
        Command("run", "serve", "Serve the institute's people and its peers until interrupted."),
        Command("status", "status", "Show the state of the node, and what needs attention."),
        Command("publish", "publish", "Store, log and release records of this institute."),
        Command("backup", "backup", "Write a backup of the node, which may run meanwhile."),
        Command("restore", "backup", "Make a home and a database from a backup."),
        Command("recover", "recover", "Make a database from an older backup usable."),
        Command("standing", "standing", "Show what each peer has given and received."),
        Command("reconcile", "standing", "Compare both sides' ledgers by signed receipts."),
        CommandGroup(
            "certificate",
            "Renew the node's certificate by hand.",
            ("comity-node certificate renew --ca-key /media/usb/ca.key",),
            (
                Command(
                    "renew",
                    "keys.certificate",
                    "Give the node a new key and a certificate for 90 days.",
                ),
            ),
        ),
        CommandGroup(
            "peers",
            "Pin peers' roots or trust bundles, and manage peers.",
            (
                "comity-node peers add ca.aisi.example.bundle.json",
                "comity-node peers list",
                "comity-node peers suspend ca.aisi.example",
            ),
            (
                Command(
                    "add",
                    "pinning",
                    "Pin a peer's root or trust bundle, or replace it.",
                ),
                Command("list", "peers", "List the pinned peers, with counts of replication."),
                Command("show", "peers", "Show one peer: fingerprint, terms and counts."),
                Command("suspend", "peers", "Suspend the exchange with a peer."),
                Command("resume", "peers", "Resume the exchange with a suspended peer."),
                Command("set", "peers", "Change a peer's terms, for your policy to go by."),
                Command("remove", "peers", "Remove a peer, whose certificates then open nothing."),
            ),
        ),
        CommandGroup(
            "keys",
            "See the institute's keys, and replace or revoke them.",
            (
                "comity-node keys list",
                "comity-node keys rotate record",
                "comity-node keys revoke SHA256:… --from-index 1200",
            ),
            (
                Command("list", "keys.keys", "List the institute's keys, and the use of each."),
                Command("rotate", "keys.keys", "Make a new key to replace an old one."),
                Command(
                    "revoke",
                    "keys.keys",
                    "Prepare the next version of the root, which revokes a key.",
                ),
            ),
        ),
        CommandGroup(
            "root",
            "Manage the institute's root, which vouches for all its keys.\n\n"
            "Each holder makes a key on a machine of its own; the node prepares a version; enough "
            "holders sign it; the node publishes it, and peers follow.",
            (
                "comity-node root key alice.key                      # each holder, offline",
                "comity-node root init alice.key.pub bob.key.pub --threshold 2",
                "comity-node root sign 1.root.json --key alice.key   # each holder, offline",
                "comity-node root publish 1.root.json",
            ),
            (
                Command("key", "keys.root_holder", "Make an offline key of a holder."),
                Command("init", "keys.root", "Prepare the first version, for the holders to sign."),
                Command("next", "keys.root", "Prepare the next version, for the holders to sign."),
                Command(
                    "sign",
                    "keys.root_holder",
                    "Sign a version with an offline key, after reading what it says.",
                ),
                Command(
                    "publish", "keys.root", "Publish a version that enough holders have signed."
                ),
                Command(
                    "show", "keys.root", "Show a version of the root, and how many have signed it."
                ),
            ),
        ),
        CommandGroup(
            "policy",
            "Decide in Cedar what each peer is given, and see why.",
            (
                "comity-node policy set --preset balanced",
                "comity-node policy show > policy.cedar   # edit, then:",
                "comity-node policy check policy.cedar",
                "comity-node policy diff policy.cedar",
                "comity-node policy set policy.cedar",
            ),
            (
                Command(
                    "show",
                    "policy.versions",
                    "Print the policy in force.",
                ),
                Command(
                    "set",
                    "policy.versions",
                    "Put a policy in force and release what it newly allows.",
                ),
                Command(
                    "log",
                    "policy.versions",
                    "List the versions of the policy, and what each changed.",
                ),
                Command(
                    "check", "policy.trial", "Check a policy for errors, and rules that do nothing."
                ),
                Command("test", "policy.trial", "Run the cases of a folder against its policy."),
                Command("diff", "policy.trial", "Show what a policy would change for each peer."),
                Command(
                    "explain", "policy.explain", "Explain what a peer is given or refused, and why."
                ),
                Command(
                    "simulate",
                    "policy.simulate",
                    "Simulate a network of institutes under policies.",
                ),
            ),
        ),
        CommandGroup(
            "treaty",
            "Manage the bilateral agreements that your policy refers to.",
            (
                "comity-node treaty add uk-ca-2026 --party ca.aisi.example --kind evaluation \\",
                "    --start 2026-01-01 --end 2028-01-01",
                "comity-node treaty list",
                "comity-node treaty end uk-ca-2026",
            ),
            (
                Command(
                    "add",
                    "policy.treaty",
                    "Add a treaty with a peer.",
                ),
                Command("list", "policy.treaty", "List all treaties, also those that have ended."),
                Command("end", "policy.treaty", "End a treaty now, before its time."),
            ),
        ),
        CommandGroup(
            "log",
            "See your own log, and begin a new one if it lost entries.",
            (
                "comity-node log list",
                "comity-node log new",
            ),
            (
                Command("list", "log", "List this institute's logs, the present one last."),
                Command("new", "log", "Begin a new log in place of one that was halted."),
            ),
        ),
        CommandGroup(
            "witness",
            "Watch other institutes' logs, which this node cosigns.",
            (
                "comity-node witness list",
                "comity-node witness export ca.aisi.example ca.split-view.json",
                "comity-node witness resume ca.aisi.example",
            ),
            (
                Command("list", "witness", "List the logs that this node has seen."),
                Command("resume", "witness", "Cosign halted logs again."),
                Command("export", "witness", "Write the proof that a log contradicted itself."),
            ),
        ),
        Command(
            "quarantine", "quarantine", "List the records of peers that were not taken, and why."
        ),
        CommandGroup(
            "alarms",
            "See what needs your attention.",
            (
                "comity-node alarms list",
                "comity-node alarms clear ca.aisi.example ROOT_REFUSED",
                "comity-node alarms test",
            ),
            (
                Command("list", "alarms", "List the alarms, the oldest first."),
                Command(
                    "clear",
                    "alarms",
                    "Clear an alarm that was dealt with.",
                ),
                Command("test", "alarms", "Send a test message the way that alarms are sent."),
            ),
        ),
    ),
)
"""Every command, in the order of the help page."""


def _take_options(
    context: typer.Context,
    home: Annotated[
        str, typer.Option(envvar="COMITY_HOME", metavar="DIR", help="The node's home folder.")
    ] = "~/.comity",
    version: VersionOption = False,
) -> None:
    """Take the options that stand before the command."""
    # not opened here: root key and root sign work on a machine that has no home
    context.obj = Path(home).expanduser()


app: Final = build_program(COMITY_NODE, _take_options, "comity.node.commands")


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 error, 64 wrong usage; see also each command."""
    run(app)
