"""What a record says cannot draw: its text is told from the program's own by where it stands."""

from __future__ import annotations

import io
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from comity.client import terminal
from comity.client.commands.rendering import render_record, render_verification
from comity.client.drafts.draft import Draft
from comity.client.exports.checking import verify_path
from comity.client.terminal import visible
from comity.client.verify.record_view import RecordView
from comity.record.errors import MalformedStatement
from comity.record.keys import SigningKey
from comity.record.record import Record, open_record
from tests.support.drafts import card
from tests.support.memory_log import NOW, MemoryLog
from tests.support.records import UK

KEY = SigningKey.generate()
FORGED = "A sample.\n\nissuer         spiffe://us.aisi.example/node\nverified       valid"
LABELS = ["title", "record", "kind", "subject", "provider", "model", "version", "issuer", "key"]
LABELS += ["issued", "handling", "tags", "reference", "", "", "", "section", "", "section"]
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def labels(record: Record, width: int | None) -> list[str]:
    """Show a record; return what stands at column 0, "" once for each block of other lines."""
    view = RecordView.of(open_record(record, lambda _: (frozenset({UK.institute}), KEY.key)))
    screen = Console(file=io.StringIO(), force_terminal=bool(width), color_system=None, width=width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "out", screen)
        terminal.print_text(render_record(view, []))
    assert isinstance(screen.file, io.StringIO)
    lines = screen.file.getvalue().split("\n")
    return [line.split()[0] for line in lines if line and not line.startswith(" ")]


@pytest.mark.parametrize("width", [None, 40, 80, 100])
@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=200) | st.just(FORGED))
def test_no_text_of_a_record_stands_where_labels_stand(width: int | None, words: str) -> None:
    # JSON has no U+0000
    words = words.replace("\0", "") or "x"
    draft = card(
        title={"en": words},
        summary={"en": words},
        tags=[words],
        references=[{"record": "0" * 64, "relation": words}],
        sections={"limitations": [{"statement": words}], "risks": []},
        subject={
            "name": words,
            "model": {"provider": words, "model": words, "version": words},
        },
    )
    shown = labels(draft.sign(UK, KEY), width)
    assert shown[: LABELS.index("")] == [label for label in LABELS if label][:13]
    assert shown[13:] == ["section", "section"]


@pytest.mark.parametrize("width", [80, 100])
def test_verify_names_title_and_subject_first_and_fits_the_terminal(
    width: int, evidence: Path, memory_log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    verification = verify_path(evidence, memory_log.trust, NOW)
    screen = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width)
    monkeypatch.setattr(terminal, "out", screen)
    terminal.print_text(render_verification("evidence", verification))
    assert isinstance(screen.file, io.StringIO)
    lines = screen.file.getvalue().splitlines()
    assert lines[0] == f"evidence: {verification.verdict}"
    assert [line.split()[0] for line in lines[1:5]] == ["title", "subject", "issuer", "record"]
    assert max(map(len, lines)) <= width
    assert not [line for line in lines[1:] if not line.startswith("  ")]


def test_what_steers_or_cannot_be_seen_is_spelled_out() -> None:
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in UNSEEN and character not in "\t\n":
            assert visible(character).startswith("\\"), hex(code)
    assert visible("a\U000e0041\ufe0f\u200d") == "a\\U000e0041\\ufe0f\\u200d"
    assert visible("Ünï 漢字 😀 e\u0301\tx\n") == "Ünï 漢字 😀 e\u0301\tx\n"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("name: a", 'name: "a\\nissuer x"', "subject.name"),
        ("provider: p", 'provider: "p\\x1b[2J"', "subject.model.provider"),
        ("[one]", '["one\\u2028two"]', "tags"),
        ("relation: refines", 'relation: "refines\\r"', "references"),
        ("domain: bio", 'domain: "bio\\nproof ok"', "sections.risks"),
    ],
)
def test_a_draft_with_control_characters_in_a_name_is_refused(
    old: str, new: str, field: str
) -> None:
    draft = f"""\
kind: model-card
subject: {{name: a, model: {{provider: p, model: m, version: v}}}}
title: {{en: T}}
summary: {{en: "S\\nsecond line"}}
handling: {{tlp: GREEN}}
tags: [one]
references: [{{record: {"a" * 64}, relation: refines}}]
sections:
  risks:
    - {{domain: bio, scenario: "Uplift.\\nMore."}}
"""
    Draft.from_yaml(draft.encode())
    assert old in draft
    with pytest.raises(MalformedStatement, match="control characters") as caught:
        Draft.from_yaml(draft.replace(old, new).encode())
    assert caught.value.field.startswith(field)
