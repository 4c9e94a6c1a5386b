"""Options that many commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comity.client.connection.profile_store import ProfileStore
from comity.client.files import RECORD_SUFFIX
from comity.client.verify.trust import Trust, load_trust
from comity.record.errors import NotFound

ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Profile to use: its name or file. Default: $COMITY_PROFILE, else the last login.",
    ),
]
BundleOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--bundle",
        metavar="PATH",
        help="Trust bundle or root, or folder of *.bundle.json and *.root.json; may be repeated. "
        "Default: the bundle of the profile's own institute.",
    ),
]
RecordArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE|ID",
        help="Record file, or the id of a record at your node (8 digits are enough).",
    ),
]


def trust_at_hand(paths: list[Path] | None, profile: str | None) -> Trust:
    """Return what a command may believe: the bundles and roots given, else the profile's own.

    Without either there are none, which makes every record unverifiable rather than wrong.
    """
    # these alone: a person who names bundles wants no other to count
    if paths:
        return load_trust(paths)
    store = ProfileStore()
    if not (profile or store.current):
        return Trust()
    return Trust((store.open(profile).bundle,))


def as_path(record: str) -> Path | None:
    """Return the path that a FILE|ID argument means, or None if it is an id.

    Raises:
        NotFound: it looks like a path, and there is nothing.
    """
    path = Path(record)
    # a file comes first, since it needs no node
    if path.exists():
        return path
    # an id has neither a slash nor this suffix, so a file was meant
    if path.name != record or record.endswith(RECORD_SUFFIX):
        raise NotFound("no such file or folder", field=record)
    return None
