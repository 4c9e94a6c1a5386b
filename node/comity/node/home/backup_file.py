"""A backup's file: a zip with a manifest that names each member and its SHA-256.

    manifest.json        versions, institute, progress, and the members
    comity.toml          the settings, without the address of the database
    certificates/…       the authorities' certificates
    keys                 the private keys, encrypted; see ``locked_keys``; only if asked for
    tables/….jsonl       the rows of a table; see ``database.table_copy``

Invariants: the file has mode 0600, and is there whole or not at all; every member is checked
against the manifest before any is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from comity.client.files import sync_folder
from comity.record.errors import BadArchive, BadConfig

FORMAT: Final = 1
"""The number of the format; another one is refused."""

MANIFEST: Final = "manifest.json"
MAX_MANIFEST_BYTES: Final = 1 << 20
MAX_MEMBER_BYTES: Final = 64 << 20
"""Of a member that is read as a whole, and of one row."""

_CHUNK_BYTES: Final = 1 << 20


class BackupWriter:
    """Writes members; ``manifest`` names them at the end."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._digests: dict[str, str] = {}

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """Add a member."""
        digest = hashlib.sha256()
        # without force_zip64 a member that turns out to exceed 2 GiB fails
        with self._archive.open(name, "w", force_zip64=True) as member:
            for chunk in chunks:
                digest.update(chunk)
                member.write(chunk)
        self._digests[name] = digest.hexdigest()

    def finish(self, about: Mapping[str, object]) -> None:
        """Add the manifest, with what it says ``about`` the backup."""
        manifest = {"format": FORMAT, **about, "members": self._digests}
        self._archive.writestr(MANIFEST, json.dumps(manifest, indent=2) + "\n")


class BackupReader:
    """Reads a backup whose members were checked."""

    def __init__(self, archive: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
        self._archive = archive
        self.manifest = manifest
        self.members: dict[str, str] = manifest["members"]

    def read(self, name: str) -> bytes:
        """Return a small member as a whole.

        Raises:
            BadArchive: there is none, or it is too large.
        """
        if name not in self.members:
            raise BadArchive("expected a member of this name, got none", field=name)
        with self._archive.open(name) as member:
            data = member.read(MAX_MEMBER_BYTES + 1)
        if len(data) > MAX_MEMBER_BYTES:
            raise BadArchive(f"expected at most {MAX_MEMBER_BYTES} bytes", field=name)
        return data

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a member.

        Raises:
            BadArchive: a line is too long.
        """
        with self._archive.open(name) as member:
            while line := member.readline(MAX_MEMBER_BYTES):
                if not line.endswith(b"\n"):
                    raise BadArchive("expected a whole line", field=name)
                yield line


@contextmanager
def writing_backup(path: Path) -> Iterator[BackupWriter]:
    """Open a new file to write; it appears under its name once the context ends well.

    Raises:
        BadConfig: it exists already, or cannot be written.
    """
    if path.exists():
        raise BadConfig("exists already and is not overwritten", field=str(path))
    draft = None
    try:
        # mkstemp makes it 0600, and a rename within one folder is whole or not at all
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.absolute().parent)
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                yield BackupWriter(archive)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
        sync_folder(path.absolute().parent)
    except OSError as error:
        raise BadConfig(f"cannot be written: {error.strerror}", field=str(path)) from error
    finally:
        if draft:
            with suppress(FileNotFoundError):
                Path(draft).unlink()


@contextmanager
def reading_backup(path: Path) -> Iterator[BackupReader]:
    """Open a backup; all its members were checked when this yields.

    Raises:
        BadConfig: the file cannot be read.
        BadArchive: it is not a backup of this format, or a member is damaged; names the member.
    """
    try:
        opened = path.open("rb")
    except OSError as error:
        raise BadConfig(f"cannot be read: {error.strerror}", field=str(path)) from error
    with opened:
        yield _checked(opened, path)


def _checked(opened: IO[bytes], path: Path) -> BackupReader:
    try:
        archive = zipfile.ZipFile(opened)
        manifest = _manifest(archive, path)
        members = manifest["members"]
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        message = f"expected a backup that comity-node backup made: {error}"
        raise BadArchive(message, field=str(path)) from error

    present = set(archive.namelist()) - {MANIFEST}
    for name in sorted(present ^ members.keys()):
        state = "missing" if name in members else "not in the manifest"
        raise BadArchive(f"damaged: this member is {state}", field=f"{path}: {name}")
    for name, expected in members.items():
        if _digest(archive, name) != expected:
            hint = "take another backup; nothing was restored"
            field = f"{path}: {name}"
            raise BadArchive(
                "damaged: this member is not as it was written", field=field, hint=hint
            )
    return BackupReader(archive, manifest)


def _manifest(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    with archive.open(MANIFEST) as member:
        manifest = json.loads(member.read(MAX_MANIFEST_BYTES))
    if not isinstance(manifest, dict) or not isinstance(manifest.get("members"), dict):
        raise BadArchive("expected a manifest with members", field=f"{path}: {MANIFEST}")
    if manifest.get("format") != FORMAT:
        message = f"expected format {FORMAT}, got {manifest.get('format')!r:.20}"
        hint = "restore it with the version of Comity that made it"
        raise BadArchive(message, field=f"{path}: {MANIFEST}", hint=hint)
    return manifest


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    """Return the SHA-256 of a member, hex; empty if it cannot be unpacked."""
    digest = hashlib.sha256()
    try:
        with archive.open(name) as member:
            while chunk := member.read(_CHUNK_BYTES):
                digest.update(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return ""
    return digest.hexdigest()
