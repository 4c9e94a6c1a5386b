"""What an importer is: one format of file, recognised by its content and read into a draft.

Invariants: an importer proposes, an analyst decides. The draft says nothing that the source does
not say, it quotes the source's own words under ``sources``, and the notes name what was left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from comity.client.drafts.draft import Draft
from comity.record.handling import Tlp


@dataclass(frozen=True, slots=True)
class Imported:
    """A draft made from a file, and notes on what the file lacks or what could not be read."""

    draft: Draft
    notes: tuple[str, ...]

    def count(self, section: str) -> int:
        """Return how many entries a section has; for ``evaluations``, how many scores."""
        entries = self.draft.sections.get(section, [])
        if section == "evaluations":
            return sum(len(entry.get("scores", ())) for entry in entries)
        return len(entries)


class Importer(Protocol):
    """Reads one format. A new one is a class with these members and its row in ``IMPORTERS``."""

    @property
    def reads(self) -> str:
        """The kinds of file that are read, in plain English, for the help of ``comity import``."""

    @property
    def suffixes(self) -> frozenset[str]:
        """Endings (".md") of the files to look for in a folder; a named file may have any."""

    def recognises(self, data: bytes) -> bool:
        """Return True if the bytes of a file are of this format; its name does not matter."""

    def read(self, data: bytes, path: PurePath, tlp: Tlp) -> Imported:
        """Make a draft with the label ``tlp`` of a file that was recognised.

        ``data`` has at most MAX_IMPORT_BYTES; ``path`` says where it lay and need not exist.

        Raises:
            LimitExceeded: the file is longer than the format allows.
            InvalidInput: the file cannot be read; ``field`` names the line or the field in it.
        """
