"""Keys: which there are, what each is good for, and how one gives way to another."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import (
    note,
    print_json,
    print_table,
    say,
    table,
    text,
)
from comity.node.commands.keys.root_output import Output, amend, print_draft, print_losses
from comity.node.commands.options import open_node
from comity.node.home.key_files import KeyUse, make_key
from comity.node.home.node_certificate import CertificateLife, certify_node
from comity.node.log.tree import tree_size
from comity.node.trust.key_revocation import revoking_change
from comity.node.trust.key_status import KeyState, KeyStatus, find_key, list_keys
from comity.node.trust.known_keys import remember_keys
from comity.node.trust.root_ceremony import RootRequest, read_draft, revoked_records
from comity.node.trust.site import Site
from comity.record.bundle import spoken
from comity.record.errors import InvalidInput
from comity.record.times import format_time


def comity_node_keys_list(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the institute's keys, and the use of each.

    A key signs records, the log, cosignatures (witness) or certificates (ca), or is the node's own.
    A staged key is not in force yet. A retired key signs no more, but its signatures stay good.

    Examples:
        comity-node keys list
        comity-node keys list --json
    """
    with open_node(context) as site:
        keys = list_keys(site)
    if as_json:
        print_json([key.to_value() for key in keys])
        return
    grid = table("use", "key", "state", "since")
    for key in keys:
        grid.add_row(*map(text, (key.use, key.keyid, _state(key), format_time(key.since))))
    print_table(grid)


def comity_node_keys_rotate(
    context: typer.Context,
    use: Annotated[KeyUse, typer.Argument(metavar="USE", help="record, log, witness or ca.")],
    finish: Annotated[
        bool, typer.Option("--finish", help="For ca: give the node a certificate of the new CA.")
    ] = False,
    output: Output = None,
    as_json: JsonOption = False,
) -> None:
    """Make a new key to replace an old one.

    Both keys are listed from then on. With a root, the command prepares the next version, and the
    new key signs once that version is published. Without a root the new key signs at once, and
    peers have to pin the new bundle by hand.

    Examples:
        comity-node keys rotate record
        comity-node keys rotate ca            # list the new authority; publish; wait for peers
        comity-node keys rotate ca --finish   # then have the node certified by it
    """
    with open_node(context) as site:
        # the second half of a change of authority (docs/operator.md, Change or revoke a key)
        if finish:
            _finish(site, use, as_json=as_json)
            return

        path = output or Path("1.root.json")
        # a first root that is still being signed counts too: the key must get into it
        has_root = site.own.root is not None or read_draft(site, path) is not None
        # a second call amends the draft, and makes no second key
        if not has_root or not _staged(site, use):
            make_key(site.home.path, site.institute, use)
            # the first file's name is taken again if that file was lost
            remember_keys(site.store, site.home.path, site.own.keychain)

        if has_root:
            root, path = amend(site, output, RootRequest())
            print_draft(root, site.own.root, path, as_json=as_json)
        else:
            _print_unrooted(site, use, as_json=as_json)


def comity_node_keys_revoke(
    context: typer.Context,
    keyid: Annotated[
        str, typer.Argument(metavar="KEYID", help="Key id that keys list shows, or its beginning.")
    ],
    from_index: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="For a record key: log entry from which it is not trusted; the next by default.",
        ),
    ] = None,
    output: Output = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare the next version of the root, which revokes a key.

    Records that a record key signed stay good everywhere if they were logged before that entry.
    Publish the later ones anew. A key for any other use is simply no longer listed.

    Examples:
        comity-node keys revoke SHA256:…                     # from here on
        comity-node keys revoke SHA256:… --from-index 1200   # lost before leaf 1200 was logged
    """
    with open_node(context) as site:
        use, found = find_key(site, keyid)
        # only what a record key signs has a place in the log
        if from_index is not None and use is not KeyUse.RECORD:
            raise InvalidInput("expected no index but for a record key", field="--from-index")
        index = _index(site, from_index)

        root, path = amend(site, output, RootRequest(), revoking_change(site, use, found, index))
        before = site.own.root
        with site.store.read() as session:
            # counted against the version in force, so that only losses of this draft are told
            losses = revoked_records(session, root.profile, before.profile if before else None)

        print_draft(root, before, path, as_json=as_json)
        if not as_json:
            print_losses(losses)


def _index(site: Site, given: int | None) -> int:
    with site.store.read() as session:
        size = tree_size(session)
    # from the next entry on, so that nothing that is logged already is lost
    if given is None:
        return size
    if not 0 <= given <= size:
        raise InvalidInput(
            f"expected 0 to {size}, the log's size, got {given}", field="--from-index"
        )
    return given


def _staged(site: Site, use: KeyUse) -> bool:
    return any(key.use == use and key.state is KeyState.STAGED for key in list_keys(site))


def _finish(site: Site, use: KeyUse, *, as_json: bool) -> None:
    if use is not KeyUse.CA:
        raise InvalidInput("expected ca: other keys need no finish", field="--finish")
    # of the bundle in force and not of a draft: peers must know an authority before the node
    # shows a certificate of it
    newest = site.bundle.authorities[-1]
    if site.home.is_certified_by(newest):
        hint = "comity-node keys rotate ca makes a new one, which has to be published first"
        message = "the node's certificate is of the newest authority that the bundle lists"
        raise InvalidInput(message, field="--finish", hint=hint)
    certify_node(site.home, site.home.authority_of(newest), datetime.now(UTC))
    expiry = format_time(CertificateLife.of(site.home).end)

    if as_json:
        print_json({"certificateExpiry": expiry})
        return

    say(f"the node has a certificate of the new authority, valid until {expiry}")
    told = "Next: comity-node grant, for everyone who was not here since it was listed."
    note(told)


def _print_unrooted(site: Site, use: KeyUse, *, as_json: bool) -> None:
    made = [key for key in list_keys(site) if key.use == use][-1]
    if as_json:
        print_json(made.to_value() | {"fingerprint": site.bundle.fingerprint})
        return
    say(f"{made.use} key {made.keyid}, {made.state}")
    # no holder vouches for the change, so people have to compare anew
    note(f"The bundle is another one now: {spoken(site.bundle.fingerprint)}")
    note("Each peer has to pin it by hand: send it comity-node bundle.")


def _state(key: KeyStatus) -> str:
    if key.revoked_from is None:
        return str(key.state)
    return f"{key.state} from index {key.revoked_from}"
