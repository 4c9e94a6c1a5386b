"""The comity-node command: what operators type, what they read, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comity.client.command_line import USAGE
from comity.client.connection.profile import Profile
from comity.node.commands.app import COMITY_NODE
from comity.node.home.folder import Home
from comity.record.bundle import TrustBundle, spoken
from tests.support.command_line import Run, commands, init
from tests.support.drafts import card

UK, CA = "uk.aisi.example", "ca.aisi.example"


def test_init_tells_the_fingerprint_and_what_to_do_next(comity_node: Run) -> None:
    ended = init(comity_node)
    bundle = TrustBundle.from_json(comity_node("bundle").out.encode())
    assert spoken(bundle.fingerprint) in ended.out
    for step in ("policy set", "grant operator/", "bundle", "peers add", "run"):
        assert step in ended.err


def test_init_does_not_overwrite(uk: Run) -> None:
    before = Path("uk/keys/record.key").read_bytes()
    ended = init(uk)
    assert ended.code == 1
    assert "not overwritten" in ended.err
    assert "hint: " in ended.err
    assert Path("uk/keys/record.key").read_bytes() == before


def test_home_comes_from_option_or_environment_or_is_missed_in_words(uk: Run) -> None:
    assert uk("status", "--json").json["institute"] == UK
    assert uk("--home", "ca", "status", "--json").json["institute"] == CA
    ended = uk("--home", "nowhere", "status")
    assert (ended.code, ended.out) == (1, "")
    assert "comity-node init" in ended.err


def test_missing_option_and_malformed_name_are_told(comity_node: Run) -> None:
    ended = comity_node("init", "--institute", UK)
    assert ended.code == USAGE
    ended = comity_node("init", "--institute", UK, "--address", "a:1", "--name", "No tag")
    assert ended.code == 1
    assert "expected TAG=NAME" in ended.err


def test_bundle_is_json_on_stdout_and_its_fingerprint_on_stderr(uk: Run) -> None:
    ended = uk("bundle")
    bundle = TrustBundle.from_json(ended.out.encode())
    assert bundle.institute == UK
    assert ended.err == f"fingerprint {spoken(bundle.fingerprint)}\n"


def test_grant_writes_a_secret_profile_once_and_says_what_to_do_with_it(uk: Run) -> None:
    ended = uk("grant", "analyst/ada")
    file = Path("analyst-ada.profile.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(Profile.load(file).identity) == f"spiffe://{UK}/analyst/ada"
    assert "comity login analyst-ada.profile.json" in ended.err
    again = uk("grant", "analyst/ada")
    assert again.code == 1
    assert "not overwritten" in again.err
    assert uk("grant", "analyst/ada", "--output", "ada.json").code == 0
    assert Profile.load(Path("ada.json")) != Profile.load(file)


@pytest.mark.parametrize("who", ["node", "node/x", "admin/eve", "analyst/", "analyst/a b"])
def test_grant_is_for_known_roles_and_sound_names(uk: Run, who: str) -> None:
    ended = uk("grant", who)
    assert ended.code == 1
    assert "expected" in ended.err
    assert not list(Path().glob("*.profile.json"))


def draft(name: str) -> str:
    Path(name).write_bytes(card().to_yaml())
    return name


def test_publish_signs_drafts_and_takes_signed_records(uk: Run) -> None:
    first = uk("publish", draft("one.yaml"), "--json").json[0]
    assert (first["logIndex"], first["alreadyStored"]) == (0, False)
    refused = uk("publish", "one.yaml")
    assert f"the same content was published as {first['recordId']}" in refused.err
    assert "--again" in refused.err
    assert uk("publish", "one.yaml", "--again", "--json").json[0]["logIndex"] == 1
    status = uk("status", "--json").json
    assert (status["records"], status["logSize"]) == (2, 2)


def test_publish_stores_all_files_or_none_and_names_the_bad_one(uk: Run) -> None:
    Path("bad.yaml").write_text("kind: model-card\n")
    ended = uk("publish", draft("good.yaml"), "bad.yaml")
    assert ended.code == 1
    assert "error: bad.yaml: expected a draft without faults, got 4:\n" in ended.err
    assert "  subject: required field is missing (line 1)\n" in ended.err
    assert uk("status", "--json").json["records"] == 0


def test_publish_takes_a_folder_and_tells_the_faults_of_all_its_files(uk: Run) -> None:
    Path("cards").mkdir()
    for name in ("one", "two"):
        Path(f"cards/{name}.yaml").write_bytes(card(name).to_yaml())
        Path(f"cards/bad-{name}.yaml").write_text("kind: poem\n")
    Path("cards/notes.txt").write_text("not meant")
    ended = uk("publish", "cards")
    assert ended.code == 1
    assert "2 of 4 files are not acceptable" in ended.err
    assert "cards/bad-one.yaml" in ended.err
    assert "cards/bad-two.yaml" in ended.err
    for name in ("one", "two"):
        Path(f"cards/bad-{name}.yaml").unlink()
    published = uk("publish", "cards", "--json").json
    assert [value["file"] for value in published] == ["cards/one.yaml", "cards/two.yaml"]
    Path("empty").mkdir()
    assert "expected *.record.json or drafts in YAML, got none" in uk("publish", "empty").err


def test_publish_warns_of_what_its_author_may_not_have_meant(uk: Run) -> None:
    Path("one.yaml").write_bytes(card(handling={"releasableTo": ["nobody.example"]}).to_yaml())
    ended = uk("publish", "one.yaml")
    assert ended.code == 0
    assert "it is releasable to nobody.example, which is no peer" in ended.err


def test_commands_say_that_without_a_policy_nothing_is_given(uk: Run) -> None:
    for words in (("status",), ("peers", "list"), ("publish", draft("one.yaml"))):
        assert "no policy is set" in uk(*words).err, words
    uk("policy", "set", "--preset", "open")
    assert "no policy" not in uk("status").err


def test_publish_refuses_a_record_of_another_institute(uk: Run) -> None:
    home = Home(Path("ca"))
    record = card().sign(home.node_id, home.record_key())
    Path("theirs.record.json").write_bytes(record.to_json())
    ended = uk("publish", "theirs.record.json")
    assert ended.code == 1
    assert "theirs.record.json: " in ended.err
    ours = card().sign(Home(Path("uk")).node_id, Home(Path("uk")).record_key())
    Path("ours.record.json").write_bytes(ours.to_json())
    assert uk("publish", "ours.record.json").code == 0
    assert uk("publish", "ours.record.json", "--json").json[0]["alreadyStored"] is True


def test_policy_is_checked_before_it_is_set(uk: Run) -> None:
    assert "nothing is given" in uk("policy", "show").err
    Path("bad.cedar").write_text('@id("a")\npermit (principal, action, nothing);\n')
    for command in ("check", "set"):
        ended = uk("policy", command, "bad.cedar")
        assert ended.code == 1
        assert "bad.cedar: policy: line 1" in ended.err
    assert uk("policy", "show", "--json").json["version"] == 0
    assert "valid" in uk("policy", "check", "--preset", "open").out
    digest = uk("policy", "set", "--preset", "open", "--json").json["policyDigest"]
    assert uk("status", "--json").json["policyDigest"] == digest
    assert "open, version 1" in uk("status").out
    Path("same.cedar").write_text(uk("policy", "show").out)
    assert uk("policy", "set", "same.cedar", "--json").json["version"] == 1


def test_policy_needs_exactly_one_source(uk: Run) -> None:
    assert "either a file or --preset" in uk("policy", "set").err
    assert "expected one of" in uk("policy", "set", "--preset", "nonsense").err
    Path("latin.cedar").write_bytes(b"// \xe9\n")
    assert "latin.cedar: expected UTF-8, got byte 0xe9" in uk("policy", "set", "latin.cedar").err


def test_explanation_names_the_rule_and_the_release(uk: Run) -> None:
    uk("peers", "add", "ca.json", "--yes")
    record_id = uk("publish", draft("one.yaml"), "--json").json[0]["recordId"]
    before = uk("policy", "explain", CA, record_id, "--json").json["parts"][0]
    assert (before["isHeader"], before["allowed"], before["releaseTime"]) == (True, False, None)
    uk("policy", "set", "--preset", "open")
    after = uk("policy", "explain", CA, record_id[:8], "--json").json["parts"][0]
    assert after["allowed"]
    assert after["rules"]
    assert after["releaseTime"]
    assert "given" in uk("policy", "explain", CA, record_id).out
    assert "error" in uk("policy", "explain", CA, "00000000").err


def test_error_is_json_where_json_is_asked_for(uk: Run) -> None:
    error = json.loads(uk("peers", "show", CA, "--json").err)["error"]
    assert error["reason"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "command", [(), *(words for words, _ in commands(COMITY_NODE))], ids=" ".join
)
def test_every_help_shows_examples(comity_node: Run, command: tuple[str, ...]) -> None:
    ended = comity_node(*command, "--help")
    assert ended.code == 0
    assert "comity-node" in ended.out.partition("Examples:")[2]


def test_examples_can_be_copied_from_a_narrow_terminal(
    comity_node: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    ended = comity_node("peers", "add", "-h")
    line = (
        "    comity-node peers add ca.bundle.json --status probation --purpose research --group g7"
    )
    assert line in ended.out.splitlines()


def test_a_group_without_a_command_says_what_is_missing(comity_node: Run) -> None:
    ended = comity_node("peers")
    assert (ended.code, ended.out) == (USAGE, "")
    assert "error: Missing command" in ended.err
