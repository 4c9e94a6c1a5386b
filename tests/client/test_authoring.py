"""Making records at the command line: new card, schema, sign, publish."""

from __future__ import annotations

from pathlib import Path

from comity.client.drafts.yaml_text import dump_yaml
from comity.record.keys import SigningKey
from tests.support.command_line import Run
from tests.support.drafts import card
from tests.support.records import UK


def test_a_draft_is_signed_shown_verified_and_exported(
    comity: Run, tmp_path: Path, signing_key: SigningKey, signed: Path
) -> None:
    signing_key.save(tmp_path / "record.key")
    (tmp_path / "llama.yaml").write_bytes(card("llama").to_yaml())
    ended = comity("sign", "llama.yaml", "--key", "record.key", "--issuer", str(UK), "--json")
    [made] = ended.json["records"]
    assert made["file"] == "llama.record.json"
    shown = comity("show", "llama.record.json", "--bundle", "uk.bundle.json", "--json").json
    assert (shown["recordId"], shown["verification"]["verdict"]) == (made["recordId"], "valid")
    assert comity("verify", "llama.record.json", "--bundle", "uk.bundle.json").code == 0
    arguments = ("llama.record.json", "--bundle", "uk.bundle.json", "--output", "plain")
    assert comity("export", *arguments).code == 0
    assert comity("verify", "plain", "--bundle", "uk.bundle.json").code == 0


def test_nothing_is_signed_unless_every_draft_is_good(
    comity: Run, tmp_path: Path, signing_key: SigningKey
) -> None:
    signing_key.save(tmp_path / "record.key")
    (tmp_path / "good.yaml").write_bytes(card().to_yaml())
    (tmp_path / "bad.yaml").write_bytes(card().to_yaml().replace(b"GREEN", b"PINK"))
    ended = comity("sign", "good.yaml", "bad.yaml", "--key", "record.key", "--issuer", str(UK))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: bad.yaml: handling.tlp: ")
    assert list(tmp_path.glob("*.record.json")) == []


def test_signing_does_not_overwrite_a_record(
    comity: Run, tmp_path: Path, signing_key: SigningKey, signed: Path
) -> None:
    signing_key.save(tmp_path / "record.key")
    (tmp_path / "card.yaml").write_bytes(card().to_yaml())
    before = signed.read_bytes()
    ended = comity("sign", "card.yaml", "--key", "record.key", "--issuer", str(UK))
    assert (ended.code, "not overwritten" in ended.err) == (1, True)
    assert signed.read_bytes() == before


def test_signing_makes_the_folder_that_it_writes_to(
    comity: Run, tmp_path: Path, signing_key: SigningKey
) -> None:
    signing_key.save(tmp_path / "record.key")
    (tmp_path / "card.yaml").write_bytes(card().to_yaml())
    arguments = ("card.yaml", "--key", "record.key", "--issuer", str(UK), "--output")
    assert comity("sign", *arguments, "out/2026").code == 0
    assert (tmp_path / "out" / "2026" / "card.record.json").exists()
    ended = comity("sign", *arguments, "card.yaml")
    assert (ended.code, ended.err) == (1, "error: card.yaml: cannot be made: File exists\n")


def test_publishing_a_draft_says_that_it_has_to_be_signed(comity: Run, tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_bytes(card().to_yaml())
    ended = comity("publish", "card.yaml")
    assert ended.code == 1
    assert ended.err.splitlines()[1].startswith("hint: if it is a draft: comity sign ")


def test_a_new_card_is_written_once(comity: Run, tmp_path: Path) -> None:
    assert comity("new", "card", "draft.yaml").code == 0
    assert (tmp_path / "draft.yaml").read_text() == comity("new", "card").out
    assert comity("new", "card", "draft.yaml").code == 1


def test_a_schema_is_printed_by_name(comity: Run) -> None:
    assert comity("schema").json["properties"]["kind"]
    assert comity("schema", "risks").json["title"] == "risks"
    assert comity("schema", "poem").code == 1


def test_yaml_of_content_is_safe_to_print() -> None:
    assert b"\x1b" not in dump_yaml({"a": "\x1b[31m"})
