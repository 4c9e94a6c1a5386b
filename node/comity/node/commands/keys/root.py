"""The root: offline keys of the institute's people, and the versions that they sign."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from comity.client.command_line import JsonOption
from comity.client.files import naming, read_file, write_file
from comity.client.terminal import (
    note,
    print_fields,
    print_json,
    say,
)
from comity.node.commands.keys.root_holder import version_before
from comity.node.commands.keys.root_output import (
    Output,
    amend,
    default_file,
    print_draft,
    print_losses,
    root_fields,
    root_value,
)
from comity.node.commands.options import open_node
from comity.node.trust.root_ceremony import (
    DEFAULT_ROOT_DAYS,
    RootRequest,
    prepare_first,
    publish_signed_root,
    read_draft,
    read_root,
    save_draft,
)
from comity.node.trust.root_changes import describe_changes
from comity.record.bundle import spoken
from comity.record.errors import NotFound
from comity.record.keys import RecordKey
from comity.record.limits import Limit

MAX_PEM_BYTES: Final = Limit("MAX_PEM_BYTES", 10_000, "bytes")
"""A public key in PEM: far less, with room for comments."""


def comity_node_root_init(
    context: typer.Context,
    keys: Annotated[list[Path], typer.Argument(metavar="PUB…", help="Public keys of the holders.")],
    threshold: Annotated[int, typer.Option(help="How many of them must sign.")],
    expires_days: Annotated[int, typer.Option(help="Days it is valid.")] = DEFAULT_ROOT_DAYS,
    output: Output = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare the first version, for the holders to sign.

    The version lists all keys that the home has.

    Examples:
        comity-node root init alice.key.pub bob.key.pub --threshold 2
    """
    known = [_public(file) for file in keys]
    with open_node(context) as node:
        root = prepare_first(node, known, threshold, expires_days)
        path = output or default_file(root)
        # a draft of this version makes room; read_draft refuses any other file of the name
        if path.exists() and read_draft(node, path) is not None:
            save_draft(root, path)
        else:
            write_file(path, root.document)
    print_draft(root, None, path, as_json=as_json)


def comity_node_root_next(
    context: typer.Context,
    threshold: Annotated[int | None, typer.Option(help="How many holders must sign.")] = None,
    add_key: Annotated[
        list[Path] | None, typer.Option(metavar="PUB", help="Key of another holder; repeatable.")
    ] = None,
    remove_key: Annotated[
        list[str] | None, typer.Option(metavar="KEYID", help="Key to drop; repeatable.")
    ] = None,
    expires_days: Annotated[
        int | None, typer.Option(help="Days that it is valid from now; 365 by default.")
    ] = None,
    output: Output = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare the next version, for the holders to sign.

    The version may have other holders, another threshold, or just more time. It also takes names
    and address from comity.toml, and lists the keys that were made since. If the file exists, the
    command changes the version in it and drops its signatures.

    Examples:
        comity-node root next                                   # valid for another year
        comity-node root next --add-key cyd.key.pub --remove-key SHA256:… --threshold 2
    """
    added = tuple(_public(file) for file in add_key or ())
    request = RootRequest(threshold, added, tuple(remove_key or ()), expires_days)
    with open_node(context) as node:
        root, path = amend(node, output, request)
        print_draft(root, node.own.root, path, as_json=as_json)


def comity_node_root_publish(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The signed version.")],
    as_json: JsonOption = False,
) -> None:
    """Publish a version that enough holders have signed.

    The keys change at once, and peers follow. The version becomes an entry of the log, so that
    revocations are logged as records are.

    Examples:
        comity-node root publish 1.root.json
    """
    root = read_root(file)
    with open_node(context) as node:
        before = node.own.root
        is_new, losses = publish_signed_root(node, root)

    if as_json:
        lost = [{"keyid": loss.keyid, "records": loss.records} for loss in losses]
        print_json(root_value(root, before) | {"published": is_new, "revokedRecords": lost})
        return

    # to publish twice is no error: nobody may know if the first call got through
    said = "published" if is_new else "was published before"
    say(f"version {root.version} {said}: {spoken(root.digest)}")
    print_losses(losses)
    # only a first root needs people; peers follow each later version by themselves
    if is_new and before is None:
        told = "give peers comity-node bundle, and read them this fingerprint; then they follow"
        note(f"Next: {told}")


def comity_node_root_show(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="A version's file; by default the published one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a version of the root, and how many have signed it.

    The command prints fingerprint, expiry and signatures, and what the version says or changes.

    Examples:
        comity-node root show
        comity-node root show 2.root.json
    """
    if file is not None:
        root, before = read_root(file), version_before(read_root(file), file, None)
    else:
        with open_node(context) as node:
            published, before = node.own.root, None
        if published is None:
            hint = "comity-node root init prepares the first version"
            raise NotFound("this institute has no root", field="root", hint=hint)
        root = published

    if as_json:
        print_json(root_value(root, before))
    else:
        print_fields(root_fields(root))
        for line in describe_changes(before, root):
            say(f"  {line}")


def _public(file: Path) -> RecordKey:
    data = read_file(file, MAX_PEM_BYTES)
    with naming(file):
        return RecordKey.from_pem(data.decode("utf-8", errors="replace"))
