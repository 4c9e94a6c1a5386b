"""Setting up: a home, its trust bundle, and profiles for people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import (
    note,
    print_fields,
    print_json,
    say,
)
from comity.node.commands.options import home_folder, open_node
from comity.node.database.store import Store
from comity.node.home.folder import Home
from comity.node.home.new_home import create_home
from comity.node.trust.pins import fingerprint_of
from comity.record.bundle import spoken
from comity.record.errors import InvalidInput
from comity.record.spiffe import Role, check_institute
from comity.record.times import format_time

ListenOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="What to bind; by default loopback if the address is, else all interfaces.",
    ),
]


def comity_node_init(
    context: typer.Context,
    institute: Annotated[
        str, typer.Option(metavar="ID", help="Institute id: a lower-case DNS name it owns.")
    ],
    name: Annotated[
        list[str],
        typer.Option(metavar="TAG=NAME", help="Name of the institute by BCP 47 tag; repeatable."),
    ],
    address: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where peers and people reach the node.")
    ],
    listen: ListenOption = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="SQLAlchemy URL; SQLite by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Make a node's home: settings, keys, certificates.

    No file is overwritten, and an init that fails leaves no file behind.

    Examples:
        comity-node init --institute uk.aisi.example --name en='AI Security Institute' \
            --address comity.aisi.example:7000
        comity-node --home /srv/comity init --institute ca.aisi.example --name en=CAISI \
            --name fr=ICSIA --address node.caisi.example:7000 \
            --database postgresql+psycopg://comity@db/comity
    """
    # a database that cannot be opened, or is another institute's, is told before a file is made
    if database is not None:
        _claim(database, institute)

    home = create_home(
        home_folder(context),
        institute=institute,
        names=_names(name),
        address=address,
        listen=listen,
        database=database,
    )

    if as_json:
        print_json(_summary(home))
    else:
        _print_next_steps(home)


def comity_node_bundle(context: typer.Context) -> None:
    """Print the file that peers pin, and its fingerprint.

    The file is JSON: the newest version of the root, or the trust bundle if the institute has no
    root. The fingerprint goes to stderr. Send the file to a peer, and read the fingerprint to the
    peer over the telephone.

    Examples:
        comity-node bundle > uk.aisi.example.bundle.json
        comity-node bundle > /dev/null        # only the fingerprint, to read aloud
    """
    with open_node(context) as node:
        root, own = node.own.root, node.bundle
    # the bytes that the holders signed: any other spelling has another fingerprint
    sys.stdout.write((root.document if root else own.to_json()).decode())
    fingerprint = spoken(fingerprint_of(root or own))
    note(f"fingerprint {fingerprint}")


def comity_node_grant(
    context: typer.Context,
    who: Annotated[
        str, typer.Argument(metavar="ROLE/NAME", help="analyst/…, auditor/… or operator/….")
    ],
    output: Annotated[
        Path | None, typer.Option(help="File to write; <role>-<name>.profile.json by default.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a profile for a person of the institute.

    The profile holds an identity, a key and a certificate for a year, so the file is a secret. Hand
    it to that person only, and delete your copy.

    Examples:
        comity-node grant analyst/ada
        comity-node grant auditor/grace --output /media/usb/grace.profile.json
    """
    role, name = _person(who)
    with open_node(context) as node:
        # the file holds what peers pin too: by it the person's commands know their node
        profile = node.home.grant(role, name, node.own.root or node.bundle)
    file = output or Path(f"{role}-{name}.profile.json")
    profile.save(file)
    expires = format_time(profile.expiry)
    if as_json:
        print_json({"identity": str(profile.identity), "file": str(file), "expiryTime": expires})
        return
    say(f"{file}: {profile.identity}, until {expires}")
    note(f"Next: {name} runs comity login {file.name}")


def _claim(database: str, institute: str) -> None:
    check_institute(institute)
    # SQLite's file comes to lie in the home, and what is no URL is told by the settings
    if not database.startswith("postgresql"):
        return
    store = Store(database)
    try:
        store.upgrade()
        store.claim(institute)
    finally:
        store.close()


def _names(pairs: list[str]) -> dict[str, str]:
    names = {}
    for pair in pairs:
        tag, separator, name = pair.partition("=")
        if not separator:
            message = f"expected TAG=NAME such as en='AI Security Institute', got {pair!r:.80}"
            raise InvalidInput(message, field="--name")
        names[tag] = name
    return names


def _person(who: str) -> tuple[Role, str]:
    role, _, name = who.partition("/")
    # a node has a role too, but init and certificate renew certify it, not grant
    if role not in set(Role) - {Role.NODE}:
        people = ", ".join(f"{r}/NAME" for r in Role if r is not Role.NODE)
        raise InvalidInput(f"expected one of {people}, got {who!r:.80}", field="ROLE/NAME")
    return Role(role), name


def _summary(home: Home) -> dict[str, object]:
    return {
        "home": str(home.path),
        "institute": home.institute,
        "address": home.settings.address,
        "listen": home.settings.listen,
        "database": home.settings.database.render_as_string(hide_password=True),
        "fingerprint": home.bundle().fingerprint,
    }


def _print_next_steps(home: Home) -> None:
    summary = _summary(home)
    print_fields({**summary, "fingerprint": spoken(str(summary["fingerprint"]))})

    # with --home spelled out, since COMITY_HOME may not be set yet
    prefix = f"comity-node --home {home.path}"
    steps = (
        f"{prefix} policy set --preset open     say who is given what",
        f"{prefix} grant operator/NAME          make a profile for yourself",
        f"{prefix} root --help                  let offline keys vouch for those in the home",
        f"{prefix} bundle                       print what peers pin",
        f"{prefix} peers add FILE               pin a peer's root or bundle",
        f"{prefix} run                          serve",
    )

    note()
    note("Back up with comity-node backup FILE --keys: the keys exist nowhere else. Next:")
    for step in steps:
        note(f"  {step}")
