"""Every preset's cases hold, and a case that cannot be read is never passed over."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from comity.policies.cases import Case, read_cases, read_policy
from comity.policies.evaluator import Policy
from comity.policies.preset import preset_folder, preset_names
from comity.record.errors import BadConfig, BadPolicy, InvalidInput, MalformedJson, NotFound

CASE = {
    "peer": {"institute": "ca.aisi.example", "status": "member"},
    "part": {"kind": "model-card", "issuer": "uk.aisi.example", "tlp": "GREEN"},
    "rules": ["members"],
}
POLICY = '@id("members") permit (principal, action, resource);'

TREATY = {
    "treatyId": "t",
    "party": "ca.aisi.example",
    "kinds": [],
    "sections": [],
    "start": "2026-01-01T00:00:00Z",
}

policy_of = cache(lambda name: read_policy(preset_folder(name)))


def folder_with(root: Path, **cases: object) -> Path:
    """Write a policy's folder with these allow cases."""
    (root / "policy.cedar").write_text(POLICY)
    (root / "allow").mkdir()
    for name, value in cases.items():
        (root / "allow" / f"{name}.json").write_text(json.dumps(value))
    return root


@pytest.mark.parametrize(
    ("preset", "case"),
    [
        pytest.param(preset, case, id=f"{preset}: {case.name}")
        for preset in preset_names()
        for case in read_cases(preset_folder(preset))
    ],
)
def test_preset_case_holds(preset: str, case: Case) -> None:
    outcome = case.run(policy_of(preset))
    assert outcome.passed, outcome.message


@pytest.mark.parametrize("preset", preset_names())
def test_every_rule_of_a_preset_decides_some_case_and_stands_on_its_page(preset: str) -> None:
    folder = preset_folder(preset)
    rules = set(re.findall(r'@id\("([^"]+)"\)', policy_of(preset).text))
    decided = {rule for case in read_cases(folder) for rule in case.rules}
    assert rules <= {rule.partition("[")[0] for rule in decided}
    assert rules <= set(re.findall(r"`([^`]+)`", folder.joinpath("README.md").read_text("utf-8")))


def test_a_case_passes_only_by_the_rules_it_names(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, right=CASE, wrong=CASE | {"rules": ["others"]})
    policy = read_policy(folder)
    right, wrong = (case.run(policy) for case in read_cases(folder))
    assert right.passed
    assert not wrong.passed
    assert wrong.message.startswith("wrong: expected allowed by others, got permitted by members")


def test_a_case_fails_when_the_decision_is_the_other_one(tmp_path: Path) -> None:
    (case,) = read_cases(folder_with(tmp_path, given=CASE))
    denied = case.run(Policy.parse(""))
    assert not denied.passed
    assert "got no rule permits" in denied.message


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"expect": "allow"}, "allow/odd.json.expect"),
        ({"part": {**CASE["part"], "title": "x"}}, "allow/odd.json.part.title"),  # type: ignore[dict-item]
        ({"part": {**CASE["part"], "tlp": "PINK"}}, "allow/odd.json.part.tlp"),  # type: ignore[dict-item]
        ({"peer": {"institute": "ca.aisi.example"}}, "allow/odd.json.peer.status"),
        ({"action": "sell"}, "allow/odd.json.action"),
        ({"rules": "members"}, "allow/odd.json.rules"),
        ({"treaties": [{**TREATY, "kinds": ["opinion"]}]}, "allow/odd.json.treaties[0].kinds[0]"),
        ({"treaties": [{**TREATY, "party": "Canada"}]}, "allow/odd.json.treaty.party"),
    ],
)
def test_a_malformed_case_is_refused_with_file_and_field(
    tmp_path: Path, change: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_cases(folder_with(tmp_path, odd=CASE | change))
    assert caught.value.field == field


def test_a_case_that_is_not_json_is_refused_with_its_file(tmp_path: Path) -> None:
    folder_with(tmp_path).joinpath("allow", "odd.json").write_text("{")
    with pytest.raises(MalformedJson, match=r"allow/odd\.json: expected JSON"):
        read_cases(tmp_path)


def test_a_file_that_would_not_be_run_is_refused(tmp_path: Path) -> None:
    folder_with(tmp_path).joinpath("allow", "odd.jsn").write_text("{}")
    with pytest.raises(InvalidInput, match=r"allow/odd\.jsn: expected a file"):
        read_cases(tmp_path)


def test_what_would_be_passed_over_is_refused(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, given=CASE)
    (folder / "README.md").write_text("# Ours\n")
    (folder / ".git").mkdir()
    assert len(read_cases(folder)) == 1
    for name in ("Deny", "more"):
        (folder / name).mkdir()
        with pytest.raises(InvalidInput, match=f"^{name}: expected no folders but allow and deny"):
            read_cases(folder)
        (folder / name).rmdir()
    (folder / "deny").write_text("{}")
    with pytest.raises(InvalidInput, match=r"^deny: expected a folder of cases"):
        read_cases(folder)
    (folder / "deny").rename(folder / "a-case.json")
    with pytest.raises(InvalidInput, match=r"^a-case\.json: expected cases in allow or deny"):
        read_cases(folder)


@pytest.mark.parametrize("name", ["folder.json", "link.json"])
def test_a_case_that_cannot_be_opened_is_refused_with_its_file(tmp_path: Path, name: str) -> None:
    allow = folder_with(tmp_path, given=CASE) / "allow"
    (allow / "folder.json").mkdir()
    if name == "link.json":
        (allow / "folder.json").rmdir()
        (allow / name).symlink_to("nowhere")
    with pytest.raises(BadConfig, match=rf"^allow/{re.escape(name)}: cannot be read: "):
        read_cases(tmp_path)


def test_a_byte_order_mark_is_no_part_of_a_policy(tmp_path: Path) -> None:
    (tmp_path / "policy.cedar").write_bytes(b"\xef\xbb\xbf" + POLICY.encode())
    assert read_policy(tmp_path).text == POLICY


def test_a_folder_without_cases_does_not_pass_for_tested(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"allow/\*\.json"):
        read_cases(folder_with(tmp_path))


def test_a_folder_without_a_policy_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"policy\.cedar"):
        read_policy(tmp_path)


def test_a_policy_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.cedar").write_bytes(b"// caf\xe9")
    with pytest.raises(BadPolicy, match="0xe9"):
        read_policy(tmp_path)
