"""Zip archives of a few files from strangers, read without unpacking anything to disk.

Invariants:

- No more is inflated than the limits allow, whatever a header claims (invariant 10).
- An archive is refused as a whole if a name could lead out of a folder, is a link, or stands for
  two files on some system.
- The bytes that ``write_archive`` returns depend on nothing but the folder's name and the files.
"""

from __future__ import annotations

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from comity.client.files import read_file
from comity.record.errors import BadArchive
from comity.record.limits import Limit

ZIP_SUFFIX: Final = ".zip"

MAX_ARCHIVE_BYTES: Final = Limit("MAX_ARCHIVE_BYTES", 32 << 20, "bytes")
"""Bytes of a packed archive, and of all its files unpacked. It holds the record four times."""

MAX_ARCHIVE_FILES: Final = Limit("MAX_ARCHIVE_FILES", 128, "files")
"""Files of an archive: MAX_SECTIONS disclosures, and about twenty others."""

_MAX_DIRECTORY_BYTES: Final = 64 << 10
"""The table of contents, which zipfile reads whole: 512 bytes for each file."""

_MAX_NAME_CHARS: Final = 255
"""The longest name that common file systems take."""

_END: Final = struct.Struct("<4s4H2LH")
"""End of central directory record (APPNOTE.TXT, section 4.3.16), without a comment."""

_ZIP64_LOCATOR: Final = b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES: Final = 20
"""Zip64 end of central directory locator (APPNOTE.TXT, section 4.3.15)."""

_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_FAULTS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    ValueError,
    NotImplementedError,
)
"""The errors that zipfile raises for a malformed archive."""

_CHUNK_BYTES: Final = 1 << 16
_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold, given to every file."""


def read_archive(path: Path) -> dict[str, bytes]:
    """Return the files of a zip by their names. A folder that holds all of them is left out.

    Raises:
        BadConfig: the file is missing or unreadable.
        LimitExceeded: over MAX_ARCHIVE_BYTES, packed or unpacked, or over MAX_ARCHIVE_FILES.
        BadArchive: not a zip, or a name or file in it is not accepted; names that one.
    """
    data = read_file(path, MAX_ARCHIVE_BYTES)
    _check_end(data, path)

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _read_all(archive, path)
    except _FAULTS as error:
        raise BadArchive(f"expected a zip: {error}", field=str(path)) from error

    return _without_folder(files)


def write_archive(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Return a zip with ``files`` in a folder of that name. Equal files make equal archives."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(f"{folder}/{name}", _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return packed.getvalue()


def _check_end(data: bytes, path: Path) -> None:
    """Check the size of the table of contents, as stated in the archive's last record."""
    # with a comment, zipfile would look for that record further ahead than this check does
    end = data[-_END.size :]
    if len(end) < _END.size or not end.startswith(b"PK\x05\x06"):
        raise BadArchive("expected a zip, without a comment at its end", field=str(path))
    _, _, _, _, count, size, _, comment = _END.unpack(end)

    # a Zip64 record would state another size, and zipfile would believe that one
    locator = data[-_END.size - _ZIP64_LOCATOR_BYTES : -_END.size]
    if comment or locator.startswith(_ZIP64_LOCATOR):
        raise BadArchive("expected a zip without comment and Zip64", field=str(path))

    MAX_ARCHIVE_FILES.check(count, str(path))
    if size > _MAX_DIRECTORY_BYTES:
        message = f"expected a table of contents of at most {_MAX_DIRECTORY_BYTES} bytes"
        raise BadArchive(f"{message}, got {size}", field=str(path))


def _read_all(archive: zipfile.ZipFile, path: Path) -> dict[str, bytes]:
    entries = archive.infolist()
    MAX_ARCHIVE_FILES.check(len(entries), str(path))
    files: dict[str, bytes] = {}
    seen: set[str] = set()
    used = 0
    for entry in entries:
        _check_entry(entry, path)

        # Windows and macOS take Risks.txt and risks.txt for one file, macOS two spellings of é too
        alike = unicodedata.normalize("NFD", entry.filename).casefold()
        if alike in seen:
            raise BadArchive("is in it twice", field=_place(path, entry))
        seen.add(alike)

        if not entry.is_dir():
            files[entry.filename] = _read(archive, entry, used, path)
            used += len(files[entry.filename])
    return files


def _check_entry(entry: zipfile.ZipInfo, path: Path) -> None:
    # the name as it was written: zipfile cuts it at NUL, and turns backslashes on Windows
    name = entry.orig_filename
    parts = name.removesuffix("/").split("/")
    bad = not name.isprintable() or len(name) > _MAX_NAME_CHARS or "\\" in name or ":" in name
    if bad or any(part in ("", ".", "..") for part in parts):
        message = "expected a name within the archive's own folder"
        raise BadArchive(message, field=_place(path, entry))

    # the high 16 bits are the Unix mode, 0 if the archive was made elsewhere
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadArchive("expected a file, got a link or device", field=_place(path, entry))

    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in _METHODS:
        message = "expected a file that is stored or deflated, and not encrypted"
        raise BadArchive(message, field=_place(path, entry))


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, used: int, path: Path) -> bytes:
    # the sizes in the headers are the stranger's word, so the inflated bytes are counted
    data = bytearray()
    with archive.open(entry) as file:
        while chunk := file.read(_CHUNK_BYTES):
            data += chunk
            MAX_ARCHIVE_BYTES.check(used + len(data), _place(path, entry))
    return bytes(data)


def _without_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files without the folder that zipping a folder puts before every name."""
    tops = {PurePosixPath(name).parts[0] for name in files}
    if len(tops) != 1 or tops & files.keys():
        return files
    return {name.partition("/")[2]: data for name, data in files.items()}


def _place(path: Path, entry: zipfile.ZipInfo) -> str:
    return f"{path}: {entry.orig_filename!r:.200}"
