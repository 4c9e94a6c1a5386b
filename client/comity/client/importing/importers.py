"""The importers that there are, and the import of a file by the first that recognises it."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Final

from comity.client.files import naming, read_file
from comity.client.importing.card_importer import CardImporter
from comity.client.importing.importer import Imported, Importer
from comity.record.handling import Tlp
from comity.record.limits import MAX_IMPORT_BYTES

IMPORTERS: Final[tuple[Importer, ...]] = (CardImporter(),)
"""In the order in which they are asked. The last takes every file, and refuses it with a reason."""


def import_file(path: Path, tlp: Tlp = Tlp.GREEN) -> Imported:
    """Make a draft of a file.

    Raises:
        BadConfig: the file is missing or unreadable.
        LimitExceeded: the file is larger or longer than an import may be.
        InvalidInput: the file cannot be imported; ``field`` names the file, and the line or the
            field in it.
    """
    data = read_file(path, MAX_IMPORT_BYTES)
    with naming(path):
        return import_bytes(data, path.absolute(), tlp)


def import_bytes(data: bytes, path: PurePath, tlp: Tlp = Tlp.GREEN) -> Imported:
    """Make a draft of a file's bytes; ``path`` says where they lay and need not exist.

    Raises:
        LimitExceeded, InvalidInput: as ``import_file``; ``field`` names the line or the field.
    """
    MAX_IMPORT_BYTES.check(len(data))
    importer = next(importer for importer in IMPORTERS if importer.recognises(data))
    return importer.read(data, path, tlp)
