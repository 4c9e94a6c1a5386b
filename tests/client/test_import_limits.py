"""Import of files that nobody wrote by hand: bounded in size and time, and always a typed error."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.client.drafts.draft import Draft
from comity.client.drafts.yaml_text import dump_yaml, load_yaml
from comity.client.importing import Imported, import_bytes
from comity.client.importing.card import MAX_BARS, MAX_LINES
from comity.client.importing.card_sections import MAX_SECTION_BYTES
from comity.record.errors import ComityError, LimitExceeded
from comity.record.keys import SigningKey
from comity.record.limits import MAX_IMPORT_BYTES, MAX_TEXT_CHARS
from comity.record.spiffe import SpiffeId

AUTHOR = SpiffeId.parse("spiffe://uk.aisi.example/operator/bo")
PLACE = PurePath("/cards/example__fjord-7b-chat.md")
HOSTILE = {
    "brackets": b"# Risks\n" + b"[" * (1 << 22),
    "words": b"# Limitations\n" + b"not " * (1 << 20),
    "quotes": b">" * (1 << 20),
    "lists": b"- " * (1 << 20),
    "columns": b"# Results\n" + b"|a" * (1 << 20) + b"|\n" + b"|-" * (1 << 20) + b"|\n",
    "spans": b"<table>" + b"<tr><td rowspan=999 colspan=999>1" * (1 << 16),
    "row": b"<table><tr>" + b"<td colspan=64 rowspan=64>1" * (1 << 16),
    "cell": b"<table><td>" + b"<b>" * (1 << 16),
    "attributes": b'<a b=">' * (1 << 16),
    "tags": b"<a " * (1 << 20),
    "declarations": b"<![a[" * (1 << 20),
    "comments": b"<!--" * (1 << 20),
    "flow": b"---\na: " + b"[" * (1 << 17) + b"\n---\n",
    "bold": b"**" + b"a " * (1 << 20),
}


def read(text: str, place: str = "/cards/pebble.md") -> Imported:
    return import_bytes(text.encode(), PurePath(place))


def test_sections_are_kept_within_what_a_record_holds(signing_key: SigningKey) -> None:
    items = "".join(f'- It does "not" do thing {n} at all.\n' for n in range(12_000))
    card = read(f"# Pebble\n\n## Limitations\n\n{items}")
    assert len(json.dumps(card.draft.sections["limitations"])) < 2 * MAX_SECTION_BYTES
    assert any(note.startswith("limitations: more than fits") for note in card.notes)
    card.draft.sign(AUTHOR, signing_key)


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (b"a" * (MAX_IMPORT_BYTES + 1), "MAX_IMPORT_BYTES"),
        (b"# a\n" * (MAX_LINES + 1), "MAX_LINES"),
        (b"|" * (MAX_BARS + 1), "MAX_BARS"),
        (b"---\nk: " + b"a" * (1 << 19) + b"\n---\n", "MAX_FRONT_MATTER_BYTES"),
    ],
)
def test_a_file_beyond_a_limit_is_refused_by_name(data: bytes, limit: str) -> None:
    with pytest.raises(LimitExceeded) as caught:
        import_bytes(data, PLACE)
    assert caught.value.limit == limit


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_ends_in_a_draft_or_a_typed_error(data: bytes) -> None:
    try:
        card = import_bytes(data, PLACE)
    except ComityError:
        return
    longest = max((len(e["text"]) for e in _excerpts(card)), default=0)
    assert longest <= MAX_TEXT_CHARS


def _excerpts(card: Imported) -> list[dict[str, Any]]:
    excerpts: list[dict[str, Any]] = card.draft.sections["sources"][0].get("excerpts", [])
    return excerpts


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_survives_being_written_as_yaml(text: str) -> None:
    assert load_yaml(dump_yaml({"text": text, "list": [{"text": f"{text}\n{text}"}]})) == {
        "text": text,
        "list": [{"text": f"{text}\n{text}"}],
    }


@given(st.binary(max_size=400))
def test_any_bytes_end_in_a_draft_or_a_typed_error(data: bytes) -> None:
    for source in (data, b"---\n" + data + b"\n---\n# A\n", b"# Limitations\n" + data):
        try:
            card = import_bytes(source, PLACE)
        except ComityError:
            continue
        assert Draft.from_yaml(card.draft.to_yaml()) == card.draft
