"""The comity command: what people type, what they read, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from comity.client.command_line import USAGE
from comity.record.bundle import TrustBundle
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.section import Disclosure
from tests.support.command_line import Run
from tests.support.drafts import card
from tests.support.records import UK, bundle_of, profile_of


def test_verify_tells_valid_invalid_and_unverifiable_apart(
    comity: Run, tmp_path: Path, signed: Path
) -> None:
    record = Record.from_json(signed.read_bytes())
    forged = Disclosure.make("risks", []).encoded
    broken = tmp_path / "broken.record.json"
    broken.write_bytes(Record(record.envelope, (forged,)).to_json())
    known = ("--bundle", str(tmp_path))
    assert comity("verify", str(signed), *known).code == 0
    assert comity("verify", str(signed)).code == 2
    ended = comity("verify", str(signed), str(broken), *known, "--json")
    assert ended.code == 1
    verdicts = [file["verdict"] for file in ended.json["files"]]
    assert verdicts == ["valid", "invalid"]
    sections = {s["name"]: s["status"] for s in ended.json["files"][1]["sections"]}
    assert sections == {"limitations": "withheld", "risks": "broken"}
    assert comity("verify", str(broken), str(signed)).code == 1


def test_a_file_that_cannot_be_read_is_no_forgery_and_keeps_no_other_from_being_looked_at(
    comity: Run, tmp_path: Path, signed: Path
) -> None:
    known = ("--bundle", str(tmp_path))
    ended = comity("verify", "mistyped.record.json", str(signed), *known, "--json")
    assert ended.code == 2
    assert [file["verdict"] for file in ended.json["files"]] == ["valid"]
    assert "mistyped.record.json" in json.loads(ended.err)["error"]["field"]
    (tmp_path / "rubbish.record.json").write_text("{")
    ended = comity("verify", "mistyped.record.json", str(tmp_path / "rubbish.record.json"), *known)
    assert ended.code == 1


def test_verify_uses_the_bundle_of_the_current_profile(
    comity: Run, tmp_path: Path, signing_key: SigningKey, signed: Path
) -> None:
    profile_of("spiffe://uk.aisi.example/auditor/eve", signing_key).save(tmp_path / "eve.json")
    assert comity("login", "eve.json").code == 0
    assert comity("verify", str(signed)).code == 0


def test_two_different_bundles_of_one_institute_are_refused(
    comity: Run, tmp_path: Path, signed: Path
) -> None:
    other = bundle_of(UK.institute, SigningKey.generate())
    (tmp_path / "other.bundle.json").write_bytes(other.to_json())
    ended = comity("verify", str(signed), "--bundle", str(tmp_path), "--json")
    assert ended.code == 2
    assert json.loads(ended.err)["error"]["reason"] == "CONFLICT"


def test_text_of_a_record_can_neither_steer_the_terminal_nor_pose_as_markup(
    comity: Run, tmp_path: Path, signing_key: SigningKey, signed: Path
) -> None:
    hostile = "\x1b[2J\x9b31m [bold red]x[/bold red] [/] \r\b \u202egpj.exe\u2066 \x07"
    draft = card(
        tags=[hostile],
        title={"en": hostile},
        summary={"en": hostile},
        handling={"purposes": [hostile]},
        references=[{"record": "0" * 64, "relation": hostile}],
    )
    draft = type(draft).parse(
        draft.to_value() | {"kind": "guidance", "sections": {hostile: {hostile: hostile}}}
    )
    record = draft.sign(UK, signing_key)
    path = tmp_path / "hostile.record.json"
    path.write_bytes(record.to_json())
    known = ("--bundle", "uk.bundle.json")
    for command in (("show", *known), ("show", *known, "--json"), ("verify", *known), ("verify",)):
        ended = comity(command[0], str(path), *command[1:])
        printed = ended.out + ended.err
        assert not {c for c in printed if ord(c) < 32 and c != "\n"}
        assert not set(printed) & {"\x7f", "\x9b", "\u202e", "\u2066"}
    assert "[bold red]x[/bold red] [/]" in comity("show", str(path), *known).out
    assert comity("show", str(path), *known, "--json").json["title"]["en"] == hostile


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("fr_CA.UTF-8", "Carte"),
        ("pt_PT.UTF-8", "Cartão"),
        ("zh_CN.UTF-8", "Card"),
        ("C", "Card"),
    ],
)
def test_a_title_is_shown_in_the_readers_language(
    comity: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    signing_key: SigningKey,
    locale: str,
    title: str,
) -> None:
    titles = {"de": "Karte", "en-GB": "Card", "fr": "Carte", "pt-BR": "Cartão"}
    path = tmp_path / "titles.record.json"
    path.write_bytes(card(title=titles).sign(UK, signing_key).to_json())
    monkeypatch.setenv("LANG", locale)
    assert comity("show", str(path)).out.splitlines()[0] == f"title          {title}"


def test_show_tells_withheld_sections_and_their_labels(
    comity: Run, tmp_path: Path, signing_key: SigningKey, signed: Path
) -> None:
    draft = card(section_handling={"risks": {"tlp": "AMBER", "releasableTo": ["ca.aisi.example"]}})
    record = draft.sign(UK, signing_key)
    kept = tuple(d for d in record.disclosures if Disclosure.parse(d).name == "limitations")
    path = tmp_path / "part.record.json"
    path.write_bytes(Record(record.envelope, kept).to_json())
    shown = comity("show", str(path), "--bundle", "uk.bundle.json").out
    assert "risks  withheld  TLP:AMBER  releasable to ca.aisi.example" in shown
    assert "limitations  present  TLP:GREEN" in shown
    assert "Forgets." in shown
    assert "verified       valid" in shown


def test_errors_come_as_one_json_object_where_json_was_asked_for(comity: Run) -> None:
    ended = comity("search", "--json")
    error = json.loads(ended.err)["error"]
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert (error["reason"], error["field"]) == ("NOT_FOUND", "profile")
    assert error["hint"].startswith("run: comity login")


def test_an_empty_list_is_said_to_be_empty(comity: Run) -> None:
    ended = comity("profiles")
    assert (ended.code, ended.err) == (0, "nothing found\n")
    assert comity("profiles", "--json").err == ""


@pytest.mark.parametrize(
    "arguments", [("--nonsense",), ("serch",), ("search", "--limit", "257"), ("sign",), ("new",)]
)
def test_wrong_usage_ends_with_64(comity: Run, arguments: tuple[str, ...]) -> None:
    ended = comity(*arguments)
    assert (ended.code, ended.out) == (USAGE, "")
    assert ended.err.startswith("error: ")


def test_without_arguments_the_help_is_shown(comity: Run) -> None:
    assert comity() == comity("--help")
    assert "Examples:" in comity().out


def test_every_command_explains_itself_with_examples(comity: Run) -> None:
    listed = comity("--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines()]
    assert "..." not in listed
    assert len(names) > 15
    for name in names:
        page = comity(*(("new", "card") if name == "new" else (name,)), "--help").out
        assert f"    comity {name}" in page.partition("Examples:")[2], name


def test_a_file_that_is_too_large_is_not_read_whole(comity: Run, tmp_path: Path) -> None:
    with (tmp_path / "huge.record.json").open("wb") as file:
        file.truncate(1 << 40)
    ended = comity("verify", "huge.record.json")
    assert (ended.code, "MAX_RECORD_FILE_BYTES" in ended.err) == (1, True)


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    command = (
        f"{sys.executable} -c 'from comity.client.commands.app import main; main()' schema | true"
    )
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_bundle_file_is_read_as_comity_writes_it(
    tmp_path: Path, comity: Run, signed: Path
) -> None:
    bundle = TrustBundle.from_json((tmp_path / "uk.bundle.json").read_bytes())
    (tmp_path / "pretty.json").write_text(json.dumps(bundle.to_value(), indent=2))
    assert comity("verify", str(signed), "--bundle", "pretty.json").code == 0
