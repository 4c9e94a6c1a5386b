"""The importers: which of them reads a file, and that a new one needs no more than its row."""

from __future__ import annotations

import json
from pathlib import Path, PurePath

import pytest

from comity.client.drafts.draft import Draft
from comity.client.importing import IMPORTERS, Imported, import_bytes, import_file, importers
from comity.record.errors import InvalidInput
from comity.record.handling import Tlp

DRAFT = import_bytes(b"# Pebble\n", PurePath("pebble.md")).draft


class JsonImporter:
    """Reads JSON objects, to stand for a format that is added."""

    reads = "JSON objects"
    suffixes = frozenset({".json"})

    def recognises(self, data: bytes) -> bool:
        return data.startswith(b"{")

    def read(self, data: bytes, path: PurePath, tlp: Tlp) -> Imported:
        title = {"en": json.loads(data)["name"]}
        draft = DRAFT.model_copy(update={"title": title})
        return Imported(draft, (f"{path.name} {tlp}",))


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importers, "IMPORTERS", (JsonImporter(), *IMPORTERS))


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize("name", ["card.json", "card.md", "card"])
def test_a_file_is_read_by_the_importer_that_recognises_its_content(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text('{"name": "Fjord"}')
    read = import_file(tmp_path / name, Tlp.AMBER)
    assert read.draft.title == {"en": "Fjord"}
    assert read.notes == (f"{name} AMBER",)


@pytest.mark.usefixtures("added")
def test_a_file_that_only_the_last_importer_takes_is_read_as_markdown() -> None:
    read = import_bytes(b"# Fjord\n", PurePath("fjord.json"))
    assert read.draft.title == {"en": "Fjord"}
    assert Draft.from_yaml(read.draft.to_yaml()) == read.draft


def test_every_file_is_read_or_refused_with_its_line() -> None:
    with pytest.raises(InvalidInput, match="line 2: expected UTF-8"):
        import_bytes(b"%PDF-1.7\n\xe2\xe3\n", PurePath("card.pdf"))
