"""What a holder of the root does, offline and without a home: make a key, sign a version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comity.client.command_line import JsonOption
from comity.client.files import write_file
from comity.client.terminal import (
    agrees,
    note,
    print_fields,
    print_json,
    say,
)
from comity.node.commands.keys.root_output import (
    describe_version,
    is_complete,
    root_value,
    signatures,
)
from comity.node.commands.passphrase import ask_new_passphrase, ask_passphrase
from comity.node.trust.root_ceremony import (
    read_root,
    save_draft,
)
from comity.record.errors import BadConfig, InvalidInput
from comity.record.keys import SigningKey
from comity.record.root import Root


def comity_node_root_key(
    file: Annotated[Path, typer.Argument(help="File to write; FILE.pub gets the public half.")],
    passphrase: Annotated[
        bool, typer.Option(help="Ask for a passphrase that encrypts the key.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Make an offline key of a holder.

    The command needs no home. Give FILE.pub to the operator who runs root init, and keep FILE
    offline.

    Examples:
        comity-node root key alice.key
        comity-node root key alice.key < /run/secrets/passphrase
    """
    bare = "--no-passphrase makes a key that anyone can use who gets the file"
    words = ask_new_passphrase("Passphrase: ", bare) if passphrase else ""
    public = Path(f"{file}.pub")
    # before the key is made, which would be left behind without its public half
    if public.exists():
        raise BadConfig("exists already and is not overwritten", field=str(public))
    made = SigningKey.generate()
    made.save(file, words)
    write_file(public, made.key.pem.encode())
    if as_json:
        print_json({"keyid": made.key.keyid, "file": str(file), "publicKey": str(public)})
    else:
        print_fields({"keyid": made.key.keyid, "file": file, "publicKey": public})


def comity_node_root_sign(
    file: Annotated[Path, typer.Argument(help="The version to sign.")],
    key: Annotated[Path, typer.Option(metavar="FILE", help="Your offline key.")],
    before: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The version before, to compare; by default found beside FILE."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="You have read it: do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Sign a version with an offline key, after reading what it says.

    The command needs no home. It adds the signature to FILE. If the version is changed afterwards,
    all holders have to sign anew.

    Examples:
        comity-node root sign 1.root.json --key alice.key
        comity-node root sign 2.root.json --key alice.key --before 1.root.json
    """
    root = read_root(file)
    former = version_before(root, file, before)
    signing = SigningKey.load(key, lambda: ask_passphrase("Passphrase of the key: "))
    # holders of the version before sign as well (TUF, section 5.3.4); without it at hand a
    # later version may have any signer
    trusted = {**root.keys, **(former.keys if former else {})}
    if signing.key.keyid not in trusted and (former is not None or root.version == 1):
        message = f"expected a key of version {root.version} or the one before"
        raise InvalidInput(f"{message}, got {signing.key.keyid}", field="--key")
    # also with --yes, so that what was signed can be read afterwards
    describe_version(root, former)
    if not yes:
        _confirm(f"Sign version {root.version} as {signing.key.keyid}?")
    signed = root.sign(signing)
    save_draft(signed, file)

    if as_json:
        print_json(root_value(signed, former))
    else:
        say(signatures(signed, former))
        if is_complete(signed, former):
            note(f"Next: comity-node root publish {file.name}")


def version_before(root: Root, file: Path, given: Path | None) -> Root | None:
    """Return the version before ``root``: ``given``, else the one beside ``file``, if there is one.

    Raises:
        InvalidInput: the file holds another version, or the root of another institute.
    """
    beside = file.parent / f"{root.version - 1}.root.json"
    path = given or (beside if beside.exists() else None)
    if path is None:
        return None
    before = read_root(path)
    if (before.institute, before.version) != (root.institute, root.version - 1):
        message = f"expected version {root.version - 1} of {root.institute}"
        got = f"got version {before.version} of {before.institute}"
        raise InvalidInput(f"{message}, {got}", field=str(path))
    return before


def _confirm(question: str) -> None:
    if not agrees(question):
        hint = "read it, then answer y or add --yes"
        raise InvalidInput("not confirmed; nothing was signed", field="root", hint=hint)
