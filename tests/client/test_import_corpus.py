"""Import of real model cards, which are not ours to ship: a folder of them is named from outside.

    COMITY_CORPUS=/path/to/corpus pytest tests/client/test_import_corpus.py

The folder holds ``hf_model_card/`` (Hugging Face READMEs) and ``md_model_card/`` (plain Markdown).
Without the variable these tests are skipped, and with CI=true they fail instead.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from comity.client.drafts.draft import Draft
from comity.client.importing import Imported, import_file
from comity.record.bundle import Keyring
from comity.record.errors import InvalidInput
from comity.record.keys import SigningKey
from comity.record.record import open_record
from comity.record.spiffe import SpiffeId
from tests.support.records import bundle_of

CORPUS: Final = os.environ.get("COMITY_CORPUS", "")
FOLDERS: Final = ("hf_model_card", "md_model_card")
FILES: Final = tuple(
    sorted(p for f in FOLDERS if CORPUS for p in Path(CORPUS, f).glob("*.md") if p.is_file())
)
AUTHOR: Final = SpiffeId.parse("spiffe://uk.aisi.example/operator/bo")
_LINE: Final = re.compile(r".*: (line \d+|front matter|[\w.\[\]-]+)", re.DOTALL)

EXPECTED: Final = {
    "hf_model_card": {
        "cards": 42,
        "imported": 39,
        "capabilities": 21,
        "limitations": 25,
        "risks": 20,
        "evaluations": 21,
    },
    "md_model_card": {
        "cards": 44,
        "imported": 44,
        "capabilities": 24,
        "limitations": 29,
        "risks": 22,
        "evaluations": 28,
    },
}
"""How many of the cards are imported and yield an entry of each kind: fewer is a step back."""


@pytest.fixture(scope="module", autouse=True)
def _corpus() -> None:
    if FILES:
        return
    told = "set COMITY_CORPUS to a folder that holds hf_model_card/*.md and md_model_card/*.md"
    if os.environ.get("CI") == "true":
        pytest.fail(f"no corpus of model cards: {told}")
    pytest.skip(told)


@cache
def imported(path: Path) -> Imported | InvalidInput:
    try:
        return import_file(path)
    except InvalidInput as error:
        return error


@pytest.mark.parametrize("path", FILES or [Path("no-corpus")], ids=lambda path: path.name)
def test_a_real_card_can_be_signed_or_is_refused_with_its_place(
    path: Path, signing_key: SigningKey
) -> None:
    card = imported(path)
    if isinstance(card, InvalidInput):
        assert card.field.startswith(str(path))
        assert _LINE.fullmatch(card.field)
        assert card.message
        return
    assert Draft.from_yaml(card.draft.to_yaml()) == card.draft
    record = card.draft.sign(AUTHOR, signing_key)
    opened = open_record(record, Keyring([bundle_of(AUTHOR.institute, signing_key)]).find)
    assert opened.statement.subject[0].name == card.draft.subject.name


@pytest.mark.parametrize("path", FILES or [Path("no-corpus")], ids=lambda path: path.name)
def test_what_is_quoted_of_a_real_card_stands_on_the_line_that_is_named(path: Path) -> None:
    card = imported(path)
    if isinstance(card, InvalidInput):
        return
    lines = path.read_text("utf-8").replace("\r\n", "\n").split("\n")
    for excerpt in card.draft.sections["sources"][0].get("excerpts", []):
        first = excerpt["text"].split("\n")[0]
        near = lines[excerpt["line"] - 1 : excerpt["line"] + 8]
        assert first in near, f"line {excerpt['line']}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_as_many_real_cards_yield_something_as_ever(folder: str) -> None:
    cards = [imported(path) for path in FILES if path.parent.name == folder]
    if len(cards) < EXPECTED[folder]["cards"] and os.environ.get("CI") != "true":
        pytest.skip(f"the counts are those of a larger corpus than the {len(cards)} cards here")
    found: Counter[str] = Counter(cards=len(cards))
    for card in cards:
        if isinstance(card, Imported):
            found["imported"] += 1
            found.update(name for name in EXPECTED[folder] if card.draft.sections.get(name))
    fewer = {name: found[name] for name, least in EXPECTED[folder].items() if found[name] < least}
    assert not fewer, f"expected at least {EXPECTED[folder]}"
