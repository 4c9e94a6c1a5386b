"""comity-node policy and treaty: what operators type before and after a policy is in force."""

from __future__ import annotations

import shutil
from pathlib import Path

from comity.policies.preset import load_preset, preset_folder
from tests.support.drafts import card, guidance
from tests.support.operator import Operator
from tests.support.releases import CARDS_ONLY

CA = "ca.aisi.example"
OPEN = load_preset("open")

MOOT = """
@id("cards")
permit (principal, action, resource) when { resource.kind == Kind::"model-card" };

@id("suspended-too")
permit (principal, action == Action::"replicate", resource)
when { principal.status == Status::"suspended" };
"""


def policy_file(text: str) -> str:
    Path("policy.cedar").write_text(text)
    return "policy.cedar"


def test_the_log_tells_what_each_version_changed(operator: Operator) -> None:
    assert operator("policy", "log", "--json").json == []
    operator("policy", "set", policy_file(CARDS_ONLY))
    operator("policy", "set", policy_file(CARDS_ONLY.replace("model-card", "guidance")))
    operator("policy", "set", policy_file("// nothing\n"))
    log = operator("policy", "log", "--json").json
    assert [entry["version"] for entry in log] == [3, 2, 1]
    changes = [(entry["added"], entry["removed"], entry["changed"]) for entry in log]
    assert changes == [([], ["cards"], []), ([], [], ["cards"]), (["cards"], [], [])]
    lines = operator("policy", "log").out.splitlines()
    assert "removed cards" in lines[1]
    assert log[0]["policyDigest"] in lines[1]


def test_a_comment_is_a_version_that_changed_no_rule(operator: Operator) -> None:
    operator("policy", "set", policy_file(OPEN))
    operator("policy", "set", policy_file(f"// the same\n{OPEN}"))
    assert "no rule" in operator("policy", "log").out.splitlines()[1]


def test_a_release_leads_to_the_version_that_allowed_it(operator: Operator) -> None:
    operator("policy", "set", "--preset", "open")
    operator.uk.publish(card())
    digest = operator.uk.policy_digest()
    operator("policy", "set", policy_file("// nothing\n"))
    [version] = [v for v in operator("policy", "log", "--json").json if v["policyDigest"] == digest]
    former = operator("policy", "show", "--version", str(version["version"]))
    assert former.out == OPEN
    assert digest in former.err
    ended = operator("policy", "show", "--version", "7")
    assert (ended.code, ended.out) == (1, "")
    assert "policy log" in ended.err


def test_check_warns_of_rules_that_do_nothing(operator: Operator) -> None:
    ended = operator("policy", "check", policy_file(MOOT))
    assert ended.code == 0
    assert ended.out.startswith("valid")
    assert "line 5: suspended-too is moot" in ended.out
    [warning] = operator("policy", "check", "policy.cedar", "--json").json["warnings"]
    assert (warning["rule"], warning["line"], warning["problem"]) == ("suspended-too", 5, "moot")
    assert warning["by"] == ["baseline-status"]


def test_a_byte_order_mark_is_dropped(operator: Operator) -> None:
    file = policy_file(f"\ufeff{OPEN}")
    assert operator("policy", "check", file).code == 0
    operator("policy", "set", file)
    assert operator("policy", "show").out == OPEN


def test_check_warns_of_a_rule_that_overflows_with_its_line(operator: Operator) -> None:
    risky = "\n\n" + OPEN.replace("};", "&& context.given * 900000000000000000 >= 0 };", 1)
    ended = operator("policy", "check", policy_file(risky))
    assert ended.code == 0
    line = risky.splitlines().index('@id("open-members")') + 1
    said = f"warning: line {line}: open-members can fail where context.given is 1000000"
    assert said in ended.out


def test_a_policy_with_warnings_is_set_and_says_how_many(operator: Operator) -> None:
    ended = operator("policy", "set", policy_file(MOOT), "--json")
    assert ended.json["version"] == 1
    assert ended.err == "note: 1 warning about this policy; comity-node policy check shows which\n"
    assert operator("policy", "set", "--preset", "open").err == ""


def test_a_policy_without_a_permit_is_said_to_give_nothing(operator: Operator) -> None:
    for words in ("", '@id("no") forbid (principal, action, resource);'):
        file = policy_file(words)
        assert "gives nothing to anyone" in operator("policy", "check", file).out
        assert operator("policy", "check", file, "--json").json["givesNothing"] is True
        assert "so nothing is given to anyone" in operator("policy", "set", file).err
    assert "nothing" not in operator("policy", "check", "--preset", "open").out


def test_check_refuses_what_does_not_fit_the_schema_with_line_and_reason(
    operator: Operator,
) -> None:
    ended = operator("policy", "check", policy_file(MOOT.replace("status", "rank")))
    assert (ended.code, ended.out) == (1, "")
    assert "line 7" in ended.err
    assert "rank" in ended.err
    for preset in ("open", "balanced", "like-for-like", "graduated", "treaty"):
        assert operator("policy", "check", "--preset", preset, "--json").json["warnings"] == []


def test_diff_tells_gain_and_loss_and_changes_nothing(operator: Operator) -> None:
    operator("policy", "set", policy_file(CARDS_ONLY))
    operator.uk.publish(card())
    operator.uk.publish(guidance())
    other = CARDS_ONLY.replace("cards", "guides").replace("model-card", "guidance")
    [found] = operator("policy", "diff", policy_file(other), "--json").json
    assert found["peer"] == CA
    told = {(one["change"], one["kind"]): one for one in found["differences"]}
    assert set(told) == {("gained", "guidance"), ("gone", "model-card")}
    gained = told["gained", "guidance"]
    assert (gained["parts"], gained["records"], gained["rules"]) == (2, 1, ["guides"])
    ended = operator("policy", "diff", "policy.cedar")
    assert ended.code == 0
    assert ended.out.splitlines()[1].split()[:6] == [CA, "guidance", "gained", "2", "1", "0"]
    assert f"3 parts (1 records) of kind model-card are with {CA} already" in ended.err
    assert len(operator.uk.released(operator.ca)) == 3
    operator("policy", "set", "policy.cedar")
    assert len(operator.uk.released(operator.ca)) == 5


def test_diff_says_where_nothing_changes_and_refuses_a_bad_policy(operator: Operator) -> None:
    operator("policy", "set", "--preset", "open")
    operator.uk.publish(card())
    assert "No peer would gain" in operator("policy", "diff", "--preset", "open").out
    assert operator("policy", "diff", policy_file("permit")).code == 1
    assert operator("policy", "diff").code == 1


def test_cases_pass_and_fail_with_an_exit_code(operator: Operator, tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    shutil.copytree(str(preset_folder("treaty")), folder)
    ended = operator("policy", "test", "ours")
    assert ended.code == 0
    of_each = [len(list((folder / effect).iterdir())) for effect in ("allow", "deny")]
    counts = f"{sum(of_each)} cases ({of_each[0]} allow, {of_each[1]} deny), 0 failed"
    assert counts in ended.out
    (folder / "policy.cedar").write_text("// nothing\n")
    ended = operator("policy", "test", "ours")
    assert ended.code == 1
    assert "FAIL  allow " in ended.out
    assert "pass  deny " in ended.out
    found = operator("policy", "test", "ours", "--json").json
    assert found["failed"] == sum(not case["passed"] for case in found["cases"]) > 0


def test_cases_that_cannot_be_read_are_told_with_file_and_field(operator: Operator) -> None:
    assert "policy.cedar" in operator("policy", "test", "nowhere").err
    Path("ours/allow").mkdir(parents=True)
    Path("ours/policy.cedar").write_text(OPEN)
    assert "neither" in operator("policy", "test", "ours").err
    Path("ours/allow/a-case.json").write_text('{"peer": 1}')
    ended = operator("policy", "test", "ours")
    assert ended.code == 1
    assert "ours: allow/a-case.json.peer" in ended.err
    Path("ours/allow").rename("ours/Allow")
    assert "ours: Allow" in operator("policy", "test", "ours").err
