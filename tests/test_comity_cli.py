"""The comity command: what people type, what they read, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from comity.client import terminal
from comity.client.cli import app
from comity.client.draft import dump_yaml
from comity.client.profile import Profile
from comity.node.authority import Authority
from comity.record.bundle import TrustBundle
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.section import Disclosure
from comity.record.spiffe import SpiffeId
from tests.network import card
from tests.test_record import UK, bundle_of


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Comity = Callable[..., Ended]


@pytest.fixture
def comity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Comity:
    """Return a function that runs a command line in an empty folder, far from any profile."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMITY_CONFIG", str(tmp_path / "config"))
    for name in ("COMITY_PROFILE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Ended:
        with pytest.raises(SystemExit) as exit_:
            terminal.run(app, arguments)
        captured = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return Ended(exit_.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def signed(tmp_path: Path, signing_key: SigningKey) -> Path:
    """Write a record of uk.aisi.example and the institute's bundle; return the record's file."""
    bundle = bundle_of(UK.institute, signing_key)
    (tmp_path / "uk.bundle.json").write_bytes(bundle.to_json())
    path = tmp_path / "card.record.json"
    path.write_bytes(card().sign(UK, signing_key).to_json())
    return path


def profile_of(identity: str, key: SigningKey, *, also: str = "") -> Profile:
    who = SpiffeId.parse(identity)
    authority = Authority.create(who.institute)
    svid = authority.issue(SpiffeId.parse(also) if also else who)
    bundle = bundle_of(who.institute, key)
    return Profile(who, bundle, svid.certificate.decode(), svid.private_key.decode())


def test_a_draft_is_signed_shown_verified_and_exported(
    comity: Comity, tmp_path: Path, signing_key: SigningKey, signed: Path
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
    comity: Comity, tmp_path: Path, signing_key: SigningKey
) -> None:
    signing_key.save(tmp_path / "record.key")
    (tmp_path / "good.yaml").write_bytes(card().to_yaml())
    (tmp_path / "bad.yaml").write_bytes(card().to_yaml().replace(b"GREEN", b"PINK"))
    ended = comity("sign", "good.yaml", "bad.yaml", "--key", "record.key", "--issuer", str(UK))
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: bad.yaml: handling.tlp: ")
    assert list(tmp_path.glob("*.record.json")) == []


def test_signing_does_not_overwrite_a_record(
    comity: Comity, tmp_path: Path, signing_key: SigningKey, signed: Path
) -> None:
    signing_key.save(tmp_path / "record.key")
    (tmp_path / "card.yaml").write_bytes(card().to_yaml())
    before = signed.read_bytes()
    ended = comity("sign", "card.yaml", "--key", "record.key", "--issuer", str(UK))
    assert (ended.code, "not overwritten" in ended.err) == (1, True)
    assert signed.read_bytes() == before


def test_verify_tells_valid_invalid_and_unverifiable_apart(
    comity: Comity, tmp_path: Path, signed: Path
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


def test_verify_uses_the_bundle_of_the_current_profile(
    comity: Comity, tmp_path: Path, signing_key: SigningKey, signed: Path
) -> None:
    profile_of("spiffe://uk.aisi.example/auditor/eve", signing_key).save(tmp_path / "eve.json")
    assert comity("login", "eve.json").code == 0
    assert comity("verify", str(signed)).code == 0


def test_two_different_bundles_of_one_institute_are_refused(
    comity: Comity, tmp_path: Path, signed: Path
) -> None:
    other = bundle_of(UK.institute, SigningKey.generate())
    (tmp_path / "other.bundle.json").write_bytes(other.to_json())
    ended = comity("verify", str(signed), "--bundle", str(tmp_path), "--json")
    assert ended.code == 1
    assert json.loads(ended.err)["error"]["reason"] == "CONFLICT"


def test_text_of_a_record_can_neither_steer_the_terminal_nor_pose_as_markup(
    comity: Comity, tmp_path: Path, signing_key: SigningKey, signed: Path
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
    comity: Comity,
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
    assert comity("show", str(path)).out.splitlines()[0] == title


def test_show_tells_withheld_sections_and_their_labels(
    comity: Comity, tmp_path: Path, signing_key: SigningKey, signed: Path
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


def test_login_keeps_a_profile_privately_and_replaces_it_on_renewal(
    comity: Comity, tmp_path: Path, signing_key: SigningKey
) -> None:
    ada = "spiffe://uk.aisi.example/analyst/ada"
    for name in ("first.json", "renewed.json"):
        profile_of(ada, signing_key).save(tmp_path / name)
        assert comity("login", name).code == 0
    kept = tmp_path / "config" / "profiles" / "ada@uk.aisi.example.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert Profile.load(kept) == Profile.load(tmp_path / "renewed.json")
    [listed] = comity("profiles", "--json").json["profiles"]
    assert (listed["name"], listed["current"], listed["identity"]) == (
        "ada@uk.aisi.example",
        True,
        ada,
    )


def test_login_under_anothers_name_is_refused(
    comity: Comity, tmp_path: Path, signing_key: SigningKey
) -> None:
    for who in ("ada", "eve"):
        identity = f"spiffe://uk.aisi.example/analyst/{who}"
        profile_of(identity, signing_key).save(tmp_path / f"{who}.json")
    assert comity("login", "ada.json", "--name", "work").code == 0
    ended = comity("login", "eve.json", "--name", "work")
    assert (ended.code, "another identity" in ended.err) == (1, True)


def test_the_last_login_is_current_until_the_environment_says_otherwise(
    comity: Comity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signing_key: SigningKey
) -> None:
    for who in ("ada", "eve"):
        identity = f"spiffe://uk.aisi.example/analyst/{who}"
        profile_of(identity, signing_key).save(tmp_path / f"{who}.json")
        comity("login", f"{who}.json", "--name", who)

    def current() -> list[str]:
        return [p["name"] for p in comity("profiles", "--json").json["profiles"] if p["current"]]

    assert current() == ["eve"]
    monkeypatch.setenv("COMITY_PROFILE", "ada")
    assert current() == ["ada"]


def test_a_profile_that_others_may_read_is_refused_with_the_remedy(
    comity: Comity, tmp_path: Path, signing_key: SigningKey
) -> None:
    path = tmp_path / "ada.json"
    profile_of("spiffe://uk.aisi.example/analyst/ada", signing_key).save(path)
    path.chmod(0o644)
    ended = comity("login", "ada.json")
    assert (ended.code, "hint: run: chmod 600 ada.json" in ended.err) == (1, True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"identity": "spiffe://uk.aisi.example/analyst/eve"}, "certificate"),
        ({"identity": "spiffe://ca.aisi.example/analyst/ada"}, "identity"),
        ({"certificate": "none"}, "certificate"),
        ({"privateKey": "none"}, "privateKey"),
        ({"bundle": {}}, "institute"),
        ({"password": ""}, ""),
    ],
)
def test_a_profile_that_does_not_fit_together_is_refused(
    comity: Comity, tmp_path: Path, signing_key: SigningKey, change: dict[str, Any], field: str
) -> None:
    path = tmp_path / "ada.json"
    profile_of("spiffe://uk.aisi.example/analyst/ada", signing_key).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    ended = comity("login", "ada.json")
    assert ended.code == 1
    assert ended.err.startswith(f"error: ada.json: {field}")


def test_a_profiles_repr_does_not_show_the_key(signing_key: SigningKey) -> None:
    profile = profile_of("spiffe://uk.aisi.example/analyst/ada", signing_key)
    assert "PRIVATE" not in repr(profile)
    assert profile.private_key not in repr(profile)


def test_errors_come_as_one_json_object_where_json_was_asked_for(comity: Comity) -> None:
    ended = comity("search", "--json")
    error = json.loads(ended.err)["error"]
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert (error["reason"], error["field"]) == ("NOT_FOUND", "profile")
    assert error["hint"].startswith("run: comity login")


def test_an_empty_list_is_said_to_be_empty(comity: Comity) -> None:
    ended = comity("profiles")
    assert (ended.code, ended.err) == (0, "nothing found\n")
    assert comity("profiles", "--json").err == ""


@pytest.mark.parametrize(
    "arguments", [("--nonsense",), ("serch",), ("search", "--limit", "257"), ("sign",), ("new",)]
)
def test_wrong_usage_ends_with_64(comity: Comity, arguments: tuple[str, ...]) -> None:
    ended = comity(*arguments)
    assert (ended.code, ended.out) == (terminal.USAGE, "")
    assert ended.err.startswith("error: ")


def test_without_arguments_the_help_is_shown(comity: Comity) -> None:
    assert comity() == comity("--help")
    assert "Examples:" in comity().out


def test_every_command_explains_itself_with_examples(comity: Comity) -> None:
    listed = comity("--help").out.partition("Commands:\n")[2].partition("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines()]
    assert "..." not in listed
    assert len(names) > 15
    for name in names:
        page = comity(*(("new", "card") if name == "new" else (name,)), "--help").out
        assert f"    comity {name}" in page.partition("Examples:")[2], name


def test_a_new_card_is_written_once(comity: Comity, tmp_path: Path) -> None:
    assert comity("new", "card", "draft.yaml").code == 0
    assert (tmp_path / "draft.yaml").read_text() == comity("new", "card").out
    assert comity("new", "card", "draft.yaml").code == 1


def test_a_schema_is_printed_by_name(comity: Comity) -> None:
    assert comity("schema").json["properties"]["kind"]
    assert comity("schema", "risks").json["title"] == "risks"
    assert comity("schema", "poem").code == 1


def test_a_file_that_is_too_large_is_not_read_whole(comity: Comity, tmp_path: Path) -> None:
    with (tmp_path / "huge.record.json").open("wb") as file:
        file.truncate(1 << 40)
    ended = comity("verify", "huge.record.json")
    assert (ended.code, "MAX_RECORD_FILE_BYTES" in ended.err) == (1, True)


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'from comity.client.cli import main; main()' schema | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_bundle_file_is_read_as_comity_writes_it(
    tmp_path: Path, comity: Comity, signed: Path
) -> None:
    bundle = TrustBundle.from_json((tmp_path / "uk.bundle.json").read_bytes())
    (tmp_path / "pretty.json").write_text(json.dumps(bundle.to_value(), indent=2))
    assert comity("verify", str(signed), "--bundle", "pretty.json").code == 0


def test_yaml_of_content_is_safe_to_print() -> None:
    assert b"\x1b" not in dump_yaml({"a": "\x1b[31m"})
