"""Options that many commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from comity.client.files import RECORD_SUFFIX, load_bundles
from comity.client.profile import ProfileStore
from comity.record.bundle import TrustBundle
from comity.record.errors import NotFound

ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Profile to use: its name or file. Default: $COMITY_PROFILE, else the last login.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
BundleOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--bundle",
        metavar="PATH",
        help="Trust bundle, or folder of *.bundle.json; may be repeated. "
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


def trusted_bundles(paths: list[Path] | None, profile: str | None) -> list[TrustBundle]:
    """Return the bundles that a command may believe: those given, else the profile's own.

    Without either there are none, which makes every record unverifiable rather than wrong.
    """
    if paths:
        return load_bundles(paths)
    store = ProfileStore()
    if not (profile or store.current):
        return []
    return [store.open(profile).bundle]


def as_path(record: str) -> Path | None:
    """Return the path that a FILE|ID argument means, or None if it is an id.

    Raises:
        NotFound: it looks like a path, and there is nothing.
    """
    path = Path(record)
    if path.exists():
        return path
    if path.name != record or record.endswith(RECORD_SUFFIX):
        raise NotFound("no such file or folder", field=record)
    return None
