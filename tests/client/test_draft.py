"""Drafts: what an author writes in YAML, what is refused and where, and the schemas for editors."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from comity.client.drafts.draft import Draft
from comity.client.drafts.schemas import draft_schema, schema_files
from comity.client.drafts.template import card_template
from comity.client.drafts.yaml_text import dump_yaml, load_yaml
from comity.client.importing.frontmatter import read_card_file
from comity.record.bundle import Keyring
from comity.record.content import SECTION_MODELS
from comity.record.errors import BadDraft, ComityError, InvalidInput, MalformedStatement
from comity.record.keys import SigningKey
from comity.record.kind import Kind
from comity.record.record import open_record
from tests.support.drafts import card
from tests.support.paths import ROOT
from tests.support.records import UK, bundle_of

DRAFT = """\
kind: model-card
subject:
  name: pkg:huggingface/meta-llama/Llama-3.1-8B
  digest: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
title: {en: Llama, fr: Lama, zh-Hans: 骆马}
summary: {en: A card.}
handling:
  tlp: GREEN
  embargo: 2027-01-31T10:00:00+01:00
  purposes: [audit, research]
sections:
  details: {released: 2024-07-23, languages: [en, no]}
  risks:
    - {domain: nist-ai-600-1:cbrn, scenario: Uplift., severity: high}
sectionHandling:
  risks: {tlp: AMBER, purposes: [audit]}
"""


def test_a_sections_handling_is_filled_in_from_the_records(signing_key: SigningKey) -> None:
    record = Draft.from_yaml(DRAFT.encode()).sign(UK, signing_key)
    opened = open_record(record, Keyring([bundle_of(UK.institute, signing_key)]).find)
    index = next(i for i, d in opened.disclosures.items() if d.name == "risks")
    handling = opened.statement.section_handling(index)
    assert handling.to_value() == {
        "tlp": "AMBER",
        "embargo": "2027-01-31T09:00:00Z",
        "onward": False,
        "purposes": ["audit"],
    }


def test_yaml_1_2_keeps_no_a_word_and_dates_become_text() -> None:
    sections = Draft.from_yaml(DRAFT.encode()).sections
    assert sections["details"] == {"released": "2024-07-23", "languages": ["en", "no"]}


def test_a_draft_written_out_reads_back_the_same() -> None:
    draft = card(section_handling={"risks": {"tlp": "RED"}}, tags=["a: b", "- c"])
    assert Draft.from_yaml(draft.to_yaml()) == draft


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("kind: model-card", "kind: poem", "kind"),
        ("kind: model-card", "kind: model-card\nsorts: x", "sorts"),
        ("  digest: a", "  digest: A", "subject.digest"),
        ("title: {en: Llama", "title: {english: Llama", "title.english"),
        ("  tlp: GREEN", "  tlp: PINK", "handling.tlp"),
        ("  tlp: GREEN", "  tlp: GREEN\n  onward: 'yes'", "handling.onward"),
        ("severity: high", "severity: huge", "sections.risks[0].severity"),
        ("  risks: {tlp: AMBER", "  details: {tlp: CLEAR", "sectionHandling.details.tlp"),
        ("  risks: {tlp: AMBER", "  uses: {tlp: AMBER", "sectionHandling"),
        ("tlp: AMBER, purposes: [audit]", "purposes: [war]", "sectionHandling.risks.purposes"),
        ("  name: pkg", "  model: {provider: a, model: b, version: c}\n  name: pkg", "subject"),
    ],
)
def test_a_fault_in_a_draft_is_named_by_its_path(old: str, new: str, field: str) -> None:
    assert old in DRAFT
    with pytest.raises(ComityError) as caught:
        Draft.from_yaml(DRAFT.replace(old, new).encode())
    assert caught.value.field == field


def test_a_version_that_yaml_reads_as_a_number_is_refused_and_not_guessed() -> None:
    text = DRAFT.replace("  digest: a", "  model: {provider: a, model: b, version: 1.10}\n  #")
    with pytest.raises(MalformedStatement, match=r"got 1\.1"):
        Draft.from_yaml(text.encode())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"kind: [", "line 1, column 8"),
        (b"kind: a\nkind: b\n", "line 2"),
        (b"title: \xff", "UTF-8"),
        (b"", "got None"),
    ],
)
def test_what_is_not_yaml_is_refused_with_the_place(data: bytes, said: str) -> None:
    with pytest.raises(ComityError, match=said):
        Draft.from_yaml(data)


def test_the_template_cannot_be_signed_until_it_is_filled_in() -> None:
    with pytest.raises(BadDraft, match=r"subject\.name: .* got None \(line 13\)"):
        Draft.from_yaml(card_template().encode())


def test_all_faults_of_a_draft_are_told_at_once_with_their_lines() -> None:
    changes = {
        "kind: model-card": "kind: model-card\nsorts: x",
        "  tlp: GREEN": "  tlp: PINK",
        "scenario: Uplift.": "scene: Uplift.",
    }
    text = DRAFT
    for old, new in changes.items():
        text = text.replace(old, new)
    with pytest.raises(BadDraft) as caught:
        Draft.from_yaml(text.encode())
    told = caught.value.message.splitlines()[1:]
    fields = [line.strip().partition(": ")[0] for line in told]
    assert set(fields) == {
        *("sorts", "handling.tlp"),
        *("sections.risks[0].scenario", "sections.risks[0].scene"),
    }
    lines = text.splitlines()
    for line in told:
        field, number = line.strip().partition(": ")[0], int(line.rpartition("line ")[2][:-1])
        # a field that is missing has the line of what it is missing from
        word = "domain" if field.endswith("scenario") else field.rpartition(".")[2]
        assert word in lines[number - 1]


def test_the_template_names_every_field_of_every_section() -> None:
    head, _, rest = card_template().partition("\nsections:\n")
    assert head
    sections = "\n".join(
        line[4:] for line in rest.partition("\n#")[0].splitlines() if line.startswith("  # ")
    )
    empty = load_yaml(sections.encode())
    assert list(empty) == list(SECTION_MODELS[Kind.MODEL_CARD])
    definitions = draft_schema()["$defs"]
    assert set(empty["risks"][0]) == set(definitions["Risk"]["properties"])
    assert set(empty["capabilities"][0]["scores"][0]) == set(definitions["Score"]["properties"])


def test_the_template_filled_in_is_a_draft() -> None:
    text = card_template()
    for empty in ("name", "provider", "model", "version", "en"):
        text = re.sub(rf"^( +){empty}:$", rf"\1{empty}: x", text, flags=re.MULTILINE)
    text = text.replace("  model: x", "  model:", 1).replace("  tlp:\n", "  tlp: GREEN\n")
    text = text.replace("  # limitations:", "  limitations:")
    text = text.replace("  #   - statement:", "    - statement: It fails.", 1)
    assert set(Draft.from_yaml(text.encode()).sections) == {"limitations"}


def test_the_committed_schemas_are_those_of_the_code() -> None:
    folder = ROOT / "schemas"
    committed = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert committed == schema_files(), "run: make schemas"


def test_every_reference_in_the_schemas_leads_somewhere() -> None:
    for data in schema_files().values():
        schema = json.loads(data)
        targets = {f"#/$defs/{name}" for name in schema.get("$defs", {})}
        assert set(_references(schema)) <= targets


def test_the_draft_schema_types_the_sections_of_a_model_card() -> None:
    rules = draft_schema()["allOf"]
    cards = {"properties": {"kind": {"const": "model-card"}}}
    [rule] = [rule for rule in rules if rule["if"] == cards]
    sections = rule["then"]["properties"]["sections"]
    assert list(sections["properties"]) == list(SECTION_MODELS[Kind.MODEL_CARD])
    assert sections["additionalProperties"] is False


def test_long_text_in_yaml_comes_back_whole() -> None:
    value = {"text": "word " * 400 + "\n\nand\ttab é 骆 # not a comment: no"}
    assert load_yaml(dump_yaml(value)) == value


@pytest.mark.parametrize(
    ("yaml", "where"),
    [
        ("a: 1\nb: &self [*self]\n", "line 2, column 4"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "line 1, column 4"),
        ("a: 1\nb: *nobody\n", "line 2, column 4"),
        ("a:\n  " + "[" * 100_000, "line 2, column 35"),
        ("- " * 60 + "x", "line 1, column 67"),
    ],
)
def test_yaml_that_grows_or_holds_itself_is_refused_with_its_line(yaml: str, where: str) -> None:
    with pytest.raises(InvalidInput, match=where):
        load_yaml(yaml.encode())
    card = f"---\n{yaml}\n---\n# Card\n"
    with pytest.raises(InvalidInput, match="line"):
        read_card_file(card.encode())


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        own = [schema["$ref"]] if "$ref" in schema else []
        return own + [r for value in schema.values() for r in _references(value)]
    if isinstance(schema, list):
        return [r for value in schema for r in _references(value)]
    return []
