"""The ``comity`` command, for analysts and auditors, and for authors of records."""

from __future__ import annotations

from typing import Final, NoReturn

from comity.client.command_line import Command, CommandGroup, VersionOption, build_program, run

COMITY: Final = CommandGroup(
    "comity",
    "Signed information about AI models, exchanged between AI safety institutes.",
    (
        "comity login ada.profile.json",
        "comity search --model llama --severity high",
        "comity show 9f86d081",
        "comity verify llama.record.json --bundle uk.aisi.example.bundle.json",
    ),
    (
        Command("login", "login", "Keep a profile, and use it from now on."),
        Command("profiles", "login", "List the profiles that you have logged in with."),
        Command("bundles", "login", "List the trust bundles that your node has pinned."),
        Command("search", "searching", "Search the records at your node."),
        Command("watch", "searching", "Print records as they arrive at your node."),
        Command("show", "reading", "Show a record: its header and its sections."),
        Command("verify", "verifying", "Verify records and their evidence offline, step by step."),
        Command("export", "exporting", "Write a record as plain files, for other tools."),
        Command("import", "importing", "Make drafts of files such as model cards."),
        CommandGroup(
            "new",
            "Start a draft, to be filled in and signed.",
            ("comity new card llama.yaml", "comity new withdrawal notice.yaml"),
            (
                Command(
                    "card",
                    "authoring",
                    "Write the draft of a model card, each field explained.",
                ),
                Command(
                    "withdrawal",
                    "authoring",
                    "Write the draft of a notice of withdrawal, explained.",
                ),
            ),
        ),
        Command("schema", "authoring", "Print the JSON Schema of drafts or of a section."),
        Command("sign", "authoring", "Sign drafts; each becomes a *.record.json."),
        Command("publish", "authoring", "Publish records of your institute at its node."),
        Command("releases", "auditing", "List what was given to each peer, and by which rules."),
        Command("receipts", "auditing", "List the receipts that peers have signed."),
        Command("quarantine", "auditing", "List the records that were refused, and why."),
        Command("explain", "auditing", "Explain which parts of a record a peer gets, and why."),
        Command("monitor", "monitoring", "Compare institutes' logs with what was seen before."),
        Command("status", "auditing", "Show the state of your node and its peers."),
    ),
)
"""Every command, in the order of the help page."""


def _take_options(version: VersionOption = False) -> None:
    """Take the options that stand before the command."""


app: Final = build_program(COMITY, _take_options, "comity.client.commands")


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 error, 64 wrong usage; see also each command."""
    run(app)
