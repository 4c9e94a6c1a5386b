"""A version of the root on the terminal: what it says, what it changes, who has signed it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from comity.client.terminal import (
    note,
    print_json,
    say,
)
from comity.node.trust.key_revocation import BundleChange
from comity.node.trust.root_ceremony import (
    RevokedRecords,
    RootRequest,
    prepare_next,
    read_draft,
    save_draft,
)
from comity.node.trust.root_changes import describe_changes
from comity.node.trust.site import Site
from comity.record.bundle import spoken
from comity.record.root import Root
from comity.record.times import format_time

Output = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File to write; <version>.root.json by default."),
]


def amend(
    site: Site, output: Path | None, request: RootRequest, change: BundleChange | None = None
) -> tuple[Root, Path]:
    """Prepare the next version in a file, or amend what is there of it; return it and the file.

    Raises: as ``ceremony.prepare_next``, ``read_draft`` and ``save_draft``.
    """
    published = site.own.root
    path = output or Path(f"{published.version + 1 if published else 1}.root.json")
    root = prepare_next(site, read_draft(site, path), request, change)
    save_draft(root, path)
    return root, path


def default_file(root: Root) -> Path:
    """Return the name of a version's file, as TUF has it."""
    return Path(f"{root.version}.root.json")


def print_draft(root: Root, before: Root | None, path: Path, *, as_json: bool) -> None:
    """Tell what was prepared, and what comes next."""
    if as_json:
        print_json(root_value(root, before) | {"file": str(path)})
        return

    told = f"{path}: version {root.version} of {root.institute}, unsigned"
    say(told)
    for line in describe_changes(before, root):
        say(f"  {line}")
    holders = f"{root.threshold} of its {len(root.keys)} holders"
    # both thresholds have to be met (TUF, section 5.3.4)
    if before is not None:
        holders = f"{before.threshold} of version {before.version}'s holders, and {holders}"
    next_ = f"In force once {holders} have signed, and it is published. Next:"
    note()
    note(next_)
    note(f"  comity-node root sign {path.name} --key FILE      each holder, offline")
    note(f"  comity-node root publish {path.name}")


def print_losses(losses: Sequence[RevokedRecords]) -> None:
    """Warn of own records that a revocation takes with it."""
    for loss in losses:
        if loss.records:
            message = (
                f"{loss.records} records that {loss.keyid} signed stand in the log from index "
                f"{loss.revoked_from} on: they are not trusted any more. Publish them anew."
            )
            note(message, "bold")


def root_value(root: Root, before: Root | None) -> dict[str, Any]:
    """Return the JSON form of what is known of a version."""
    return {
        "institute": root.institute,
        "version": root.version,
        "digest": root.digest,
        "expiryTime": format_time(root.expires),
        "threshold": root.threshold,
        "keys": sorted(root.keys),
        "signers": root.signers(root),
        "formerSigners": root.signers(before) if before else [],
        "changes": describe_changes(before, root),
    }


def root_fields(root: Root) -> dict[str, object]:
    """Return what stands above a version's changes."""
    return {
        "institute": root.institute,
        "version": root.version,
        "fingerprint": spoken(root.digest),
        "expires": format_time(root.expires),
        "signatures": f"{len(root.signers(root))} of {root.threshold}",
    }


def describe_version(root: Root, before: Root | None) -> None:
    """Tell on stderr what a version says, for whoever is to sign it."""
    for name, value in root_fields(root).items():
        note(f"{name:<12} {value}")
    if before is None and root.version > 1:
        note("what it changes is not known: name the version before with --before FILE")
    for line in describe_changes(before, root):
        note(f"  {line}")


def is_complete(root: Root, before: Root | None) -> bool:
    """True if enough have signed, as far as that shows without the version before."""
    if len(root.signers(root)) < root.threshold:
        return False
    return len(root.signers(before)) >= before.threshold if before else root.version == 1


def signatures(root: Root, before: Root | None) -> str:
    """Say how many have signed."""
    told = f"signed by {len(root.signers(root))} of {root.threshold} of its own keys"
    if before is not None:
        count = len(root.signers(before))
        told += f", {count} of {before.threshold} of version {before.version}'s"
    return told
