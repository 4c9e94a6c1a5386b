"""Import of model cards: what is taken from them, what is refused and where, and at what cost."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePath

import pytest

from comity.client.drafts.draft import Draft
from comity.client.importing import import_bytes, import_file
from comity.client.importing.model_names import ModelNames
from comity.record.errors import BadConfig, InvalidInput
from comity.record.keys import SigningKey
from comity.record.spiffe import SpiffeId
from tests.support.imported_cards import import_text, sample_sections, scores, statements
from tests.support.paths import SAMPLES

AUTHOR = SpiffeId.parse("spiffe://uk.aisi.example/operator/bo")
PLACE = PurePath("/cards/example__fjord-7b-chat.md")


@pytest.mark.parametrize(
    "name", [p.name for p in sorted(SAMPLES.iterdir()) if "Card for {{" not in p.read_text()]
)
def test_a_sample_becomes_a_draft_that_can_be_signed_or_is_refused_with_its_place(
    name: str, signing_key: SigningKey
) -> None:
    try:
        card = import_file(SAMPLES / name)
    except InvalidInput as error:
        assert error.field.startswith(str(SAMPLES / name) + ": ")  # noqa: PT017
        return
    assert Draft.from_yaml(card.draft.to_yaml()) == card.draft
    card.draft.sign(AUTHOR, signing_key)


def test_facts_of_the_front_matter_and_of_the_text_are_kept() -> None:
    card = import_bytes((SAMPLES / "hub_card.md").read_bytes(), PLACE)
    assert card.draft.subject.name == "pkg:huggingface/example/fjord-7b-chat"
    assert card.draft.title == {"en": "Fjord 7B Chat"}
    assert card.draft.tags == ("fjord", "chat")
    assert card.draft.sections["details"] == {
        "developer": "Example Institute",
        "licence": "fjord-community",
        "parameters": 7_000_000_000,
        "modalities": ["text"],
        "languages": ["en", "no"],
        "baseModels": ["./checkpoints/fjord-base"],
        "datasets": ["example/fjord-corpus"],
        "released": "2025-02-01",
    }
    assert "language: not a BCP 47 tag, left out: multilingual" in card.notes


def test_statements_are_the_sources_own_words_sorted_by_what_they_say() -> None:
    found = sample_sections("hub_card.md")
    assert found["uses"] == {
        "intended": ["Answering questions in English and Norwegian."],
        "outOfScope": ["Medical, legal or financial advice."],
    }
    assert found["capabilities"] == [
        {"domain": "text-generation", "statement": "pipeline_tag: text-generation"}
    ]
    assert found["limitations"] == [
        {"statement": "The model may: Invent sources that do not exist"},
        {"statement": "Answers in Nynorsk are worse than in Bokmål."},
    ]
    assert found["risks"] == [
        {
            "domain": "nist-ai-600-1:harmful-bias",
            "scenario": "The model may: Reproduce stereotypes found in its training data",
        },
        {
            "domain": "nist-ai-600-1:information-security",
            "scenario": "The model may: Help to write phishing messages",
        },
    ]


def test_a_source_is_quoted_with_its_digest_and_lines() -> None:
    data = (SAMPLES / "hub_card.md").read_bytes()
    (source,) = import_bytes(data, PLACE).draft.sections["sources"]
    assert source["sha256"] == hashlib.sha256(data).hexdigest()
    assert source["format"] == "huggingface-model-card"
    assert source["url"] == "https://huggingface.co/example/fjord-7b-chat"
    lines = data.decode().split("\n")
    risks = next(e for e in source["excerpts"] if e["heading"].startswith("Bias"))
    assert lines[risks["line"] - 1] == "## Bias, Risks, and Limitations"
    assert risks["text"] == "\n".join(lines[risks["line"] : risks["line"] + 10]).strip("\n")


@pytest.mark.parametrize(
    ("name", "label", "fit"),
    [
        ("open_llama_13b", "OpenLLaMA 13B", 2),
        ("open_llama_13b", "LLaMA 13B", 0),
        ("Llama Guard 2", "Llama Guard", 0),
        ("Llama Guard", "Llama Guard 2", 0),
        ("Llama-2-7b-chat-hf", "Llama 2 13B", 0),
        ("Llama-2-7b-chat-hf", "Llama 2 7B", 1),
        ("Llama 3", "Llama 3 70B", 1),
        ("Phi-3-mini-128k-instruct", "Phi-3-Mini-128K-Ins", 2),
        ("Jamba-1.5-Mini", "Jamba 1.5 Large", 0),
        ("Fjord", "GPT-4", 0),
    ],
)
def test_a_model_is_not_mistaken_for_its_kin(name: str, label: str, fit: int) -> None:
    assert ModelNames([name]).match(label) == fit


def test_html_headings_lists_and_spanning_tables_are_read() -> None:
    card = import_file(SAMPLES / "html.md")
    assert statements(card, "limitations") == [
        "Names are often misspelt.",
        "Overlapping speech is not separated.",
    ]
    (risk,) = card.draft.sections["risks"]
    assert risk["domain"] == "nist-ai-600-1:data-privacy"
    assert scores(card) == {
        "Calls, English": [("WER (%)", 12.5, "percent")],
        "Calls, Welsh": [("WER (%)", 31.25, "percent")],
    }


def test_an_attribute_may_hold_a_greater_than_sign() -> None:
    rows = '<tr><th>Benchmark<th>Score<tr><td title="5 > 3 shots">MMLU<td abbr=">1">61.2'
    card = import_text(f"# Pebble\n\n## Results\n\n<table>{rows}</table>\n")
    assert scores(card) == {"MMLU": [("score", 61.2, "percent")]}


def test_less_than_signs_and_tags_left_open_are_text() -> None:
    said = "It is not for those < 18, nor for <b who"
    assert statements(import_text(f"# Pebble\n\n## Limitations\n\n<p>{said}\n"), "limitations") == [
        said
    ]


def test_bold_lines_and_lead_ins_are_headings_too() -> None:
    card = import_file(SAMPLES / "no_metadata.md")
    assert card.draft.subject.name == "pkg:generic/unknown/Pebble@unversioned"
    assert statements(card, "limitations") == [
        "Pebble was trained on studio light only. It often fails outdoors.",
        "It needs an image of at least 224 by 224 pixels; smaller ones cannot be read.",
    ]
    assert card.draft.sections["uses"]["outOfScope"] == ["Deciding what a stone is worth."]
    assert card.notes[0] == "not stated: licence, version, risk, score"


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("french.md", "fr"),
        ("german.md", "de"),
        ("spanish.md", "es"),
        ("japanese.md", "ja"),
        ("chinese.md", "zh"),
        ("korean.md", "ko"),
    ],
)
def test_headings_are_known_in_other_languages(name: str, language: str) -> None:
    card = import_file(SAMPLES / name)
    assert list(card.draft.title) == [language]
    assert card.draft.sections["uses"]["intended"]
    assert card.count("limitations") == 1
    assert [r["domain"] for r in card.draft.sections["risks"]] == ["nist-ai-600-1:harmful-bias"]


@pytest.mark.parametrize(
    ("name", "place", "reason"),
    [
        ("list_front_matter.md", "line 2", "expected a mapping as front matter, got a list"),
        ("broken_yaml.md", "front matter", "expected YAML: line 4"),
        ("template.md", "line 2", "unrendered"),
        ("data_set.md", "size_categories", "expected a model card, got a data-set card"),
    ],
)
def test_what_is_not_a_model_card_is_refused_with_its_place(
    name: str, place: str, reason: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        import_file(SAMPLES / name)
    assert caught.value.field == f"{SAMPLES / name}: {place}"
    assert reason in caught.value.message or "template placeholder" in caught.value.message


def test_an_unrendered_template_without_front_matter_is_refused_too() -> None:
    with pytest.raises(InvalidInput, match="line 1: expected a rendered card"):
        import_text("# Model Card for {{ model_id }}\n\n{{ model_description }}\n")
    assert import_text("# Pebble\n\n    {{ bos_token }}{{ messages }}\n").draft.title == {
        "en": "Pebble"
    }


def test_line_endings_and_a_byte_order_mark_make_no_difference() -> None:
    unix = (SAMPLES / "hub_card.md").read_bytes()
    dos = b"\xef\xbb\xbf" + unix.replace(b"\n", b"\r\n")
    one, two = (import_bytes(data, PLACE).draft.sections for data in (unix, dos))
    assert one["sources"][0].pop("sha256") != two["sources"][0].pop("sha256")
    assert one == two


def test_characters_that_no_record_may_hold_are_replaced() -> None:
    text = (
        '---\nlicense: "a\\0b\\ud800"\ntags: ["x\v"]\n---\n# P\0\n\n## Limitations\n\nNot\0 all.\n'
    )
    card = import_text(text)
    assert card.draft.sections["details"]["licence"] == "a\ufffdb\ufffd"
    assert statements(card, "limitations") == ["Not\ufffd all."]
    assert Draft.from_yaml(card.draft.to_yaml()) == card.draft


def test_text_that_is_not_utf_8_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidInput, match=r"line 3: expected UTF-8, got byte 0xff"):
        import_bytes(b"# A\n\n\xff", PLACE)


def test_a_file_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="cannot be read"):
        import_file(tmp_path / "none.md")


def test_a_file_of_a_download_cache_names_repository_and_revision() -> None:
    place = f"/hub/models--example--fjord/snapshots/{'a1' * 20}/README.md"
    card = import_text("---\nlicense: mit\n---\n# Fjord\n", place)
    assert card.draft.subject.name == f"pkg:huggingface/example/fjord@{'a1' * 20}"


def test_a_title_of_any_length_and_script_gives_a_name_that_fits() -> None:
    card = import_text(f"# {'魚' * 190}\n\n- **Developer:** {'鳥' * 150}\n")
    assert len(card.draft.subject.name) <= 1024
