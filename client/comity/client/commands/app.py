"""The ``comity`` command, for analysts and auditors, and for authors of records."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Final, NoReturn

import typer

from comity.client import terminal
from comity.client.commands import (
    auditing,
    authoring,
    evidence,
    importing,
    login,
    monitoring,
    reading,
    searching,
)
from comity.client.terminal import examples

app = terminal.command_group(
    "Signed information about AI models, exchanged between AI safety institutes.",
    "comity login ada.profile.json",
    "comity search --model llama --severity high",
    "comity show 9f86d081",
    "comity verify llama.record.json --bundle uk.aisi.example.bundle.json",
)


_COMMANDS: Final[tuple[tuple[str, Callable[..., None], tuple[str, ...]], ...]] = (
    ("login", login.login, ("comity login ada.profile.json", "comity login FILE --name work")),
    ("profiles", login.profiles, ("comity profiles",)),
    ("bundles", login.bundles, ("comity bundles", "comity bundles --output bundles")),
    (
        "search",
        searching.search,
        (
            "comity search --model llama --severity high",
            "comity search --kind model-card --issuer uk.aisi.example --all --json",
            "comity search --domain nist-ai-600-1:cbrn --text 'wet lab'",
        ),
    ),
    ("watch", searching.watch, ("comity watch --severity critical", "comity watch --json")),
    ("show", reading.show, ("comity show 9f86d081", "comity show llama.record.json --json")),
    (
        "verify",
        evidence.verify,
        (
            "comity verify llama.record.json --bundle uk.aisi.example.bundle.json",
            "comity verify exported-folder --bundle bundles --json",
            "comity verify llama.zip --bundle bundles --policy witnesses.policy",
        ),
    ),
    (
        "export",
        evidence.export,
        (
            "comity export 9f86d081 --output llama",
            "comity export 9f86d081 --evidence --output llama.zip",
            "comity export llama.record.json --output llama",
        ),
    ),
    (
        "import",
        importing.import_cards,
        ("comity import README.md --output drafts", "comity import cards --output drafts --json"),
    ),
    ("schema", authoring.schema, ("comity schema > draft.schema.json", "comity schema risks")),
    (
        "sign",
        authoring.sign,
        ("comity sign llama.yaml --key record.key --issuer spiffe://uk.aisi.example/operator/bo",),
    ),
    ("publish", authoring.publish, ("comity publish llama.record.json",)),
    (
        "releases",
        auditing.releases,
        ("comity releases --peer ca.aisi.example", "comity releases --all --json"),
    ),
    ("receipts", auditing.receipts, ("comity receipts --peer ca.aisi.example",)),
    ("quarantine", auditing.quarantine, ("comity quarantine --json",)),
    ("explain", auditing.explain, ("comity explain 9f86d081 --peer ca.aisi.example",)),
    (
        "monitor",
        monitoring.monitor,
        (
            "comity monitor ca.aisi.example jp.aisi.example",
            "comity monitor https://log.ca.aisi.example --bundle ca.aisi.example.bundle.json",
        ),
    ),
    ("status", auditing.status, ("comity status", "comity status --json")),
)
"""Name, function and examples of every command, in the order of the help page."""


def _print_version(asked: bool) -> None:
    if asked:
        terminal.out.print(f"comity {version('comity')}")
        raise typer.Exit


@app.callback()
def _comity(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


app.add_typer(authoring.new, name="new")
for _name, _function, _lines in _COMMANDS:
    app.command(_name, epilog=examples(*_lines))(_function)


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 error, 64 wrong usage; see also each command."""
    terminal.run(app)
