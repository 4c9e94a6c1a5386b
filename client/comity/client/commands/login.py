"""Who one is, and whose keys one's node trusts: login, profiles, bundles."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from comity.client import terminal
from comity.client.command_line import JsonOption
from comity.client.commands.language import choose_text
from comity.client.commands.options import ProfileOption
from comity.client.connection.node_client import connect
from comity.client.connection.profile import Profile
from comity.client.connection.profile_store import ProfileStore
from comity.client.files import BUNDLE_SUFFIX, ROOT_SUFFIX, make_folder, write_file
from comity.client.verify.trust import Trust
from comity.record.times import format_time


def comity_login(
    file: Annotated[Path, typer.Argument(help="Profile that comity-node grant made for you.")],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Name to keep it under. Default: you@institute.")
    ] = "",
) -> None:
    """Keep a profile, and use it from now on.

    The command copies the profile, with mode 0600, to $COMITY_CONFIG or ~/.config/comity.

    Examples:
        comity login ada.profile.json
        comity login FILE --name work
    """
    profile = Profile.load(file)
    kept = ProfileStore().login(profile, name)
    expiry = format_time(profile.expiry)
    terminal.say(f"{kept}: {profile.identity}, until {expiry}")


def comity_profiles(as_json: JsonOption = False) -> None:
    """List the profiles that you have logged in with.

    The current one has an asterisk.

    Examples:
        comity profiles
    """
    store = ProfileStore()
    kept = {name: store.open(store.path(name)) for name in store.names}

    if as_json:
        values = [_profile_value(name, profile, store.current) for name, profile in kept.items()]
        terminal.print_json({"profiles": values})
        return

    rows = terminal.table("", "profile", "identity", "node", "expires")
    for name, profile in kept.items():
        mark = "*" if name == store.current else ""
        where, expiry = profile.bundle.address, format_time(profile.expiry)
        rows.add_row(mark, name, str(profile.identity), where, expiry)
    terminal.print_table(rows)


def comity_bundles(
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write each bundle there, for comity verify."),
    ] = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the trust bundles that your node has pinned.

    People compare the fingerprint: the root's if there is one, else the bundle's. With --output,
    the command also writes the roots, which say until when the bundles hold.

    Examples:
        comity bundles
        comity bundles --output bundles
    """
    found = asyncio.run(_fetch_bundles(profile))
    if output:
        _write_bundles(found, output)

    if as_json:
        terminal.print_json({"bundles": [bundle.to_value() for bundle in found.bundles]})
        return

    rows = terminal.table("institute", "name", "address", "keys", "root", "fingerprint")
    for bundle in found.bundles:
        keys, name = str(len(bundle.record_keys)), terminal.text(choose_text(bundle.names))
        root = found.root(bundle.institute)
        # what people compared when they pinned it, as comity-node peers show prints it
        version, compared = (str(root.version), root.digest) if root else ("", bundle.fingerprint)
        rows.add_row(bundle.institute, name, bundle.address, keys, version, compared)
    terminal.print_table(rows)


async def _fetch_bundles(profile: str | None) -> Trust:
    async with connect(profile) as node:
        return Trust(node.bundles, node.roots)


def _write_bundles(found: Trust, folder: Path) -> None:
    make_folder(folder)
    # never over an older bundle: such a folder says whom its owner trusts
    hint = "name a new folder"
    for bundle in found.bundles:
        write_file(folder / f"{bundle.institute}{BUNDLE_SUFFIX}", bundle.to_json(), hint)
    for root in found.roots:
        write_file(folder / f"{root.institute}{ROOT_SUFFIX}", root.document, hint)


def _profile_value(name: str, profile: Profile, current: str) -> dict[str, object]:
    return {
        "name": name,
        "current": name == current,
        "identity": str(profile.identity),
        "address": profile.bundle.address,
        "expiryTime": format_time(profile.expiry),
    }
