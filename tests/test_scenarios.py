"""Scenario files: what is refused, and where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.policies.simulation.library import load_policies, load_scenario
from comity.policies.simulation.location import line_of
from comity.policies.simulation.scenario import Scenario
from comity.record.errors import BadPolicy, InvalidInput, NotFound

PAIR = """
days = 20
[[institute]]
id = "uk.aisi.example"
policy = "POLICY"
issues = [{ kind = "evaluation", count = 10 }]
[[institute]]
id = "ca.aisi.example"
policy = "POLICY"
issues = [{ kind = "evaluation", count = 10 }]
"""


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("days = 20", "dayz = 20", "dayz: line 2: unknown key; expected one of title, days"),
        ('policy = "POLICY"\n', 'polcy = "open"\n', r"institute\[0\].polcy: line 5: unknown key"),
        ('policy = "POLICY"\n', "", r"institute\[0\].policy: line 3: required field is missing"),
        ("count = 10 ", "cuont = 10 ", r"institute\[0\].issues\[0\].cuont: line 6: unknown key"),
        (
            "count = 10 ",
            "count = 10, per_day = 1 ",
            "line 6: expected one of per_day, count and on",
        ),
        ("count = 10 ", "count = 0 ", r"issues\[0\].count: line 6: .*got 0"),
        ("evaluation", "evaluations", r"issues\[0\].kind: line 6"),
        ('"ca.aisi.example"', '"uk.aisi.example"', r"institute\[1\].id: line 8: .* once"),
        ('"ca.aisi.example"', '"CA"', r"institute\[1\].id: line 8: expected a lower-case"),
        ("count = 10 ", 'count = 10, releasable_to = ["fr.aisi.example"] ', "line 6: .*fr.aisi"),
        ("count = 10 ", 'count = 10, tlp = "RED", onward = true ', "line 6: .*onward"),
        ("days = 20", "days = = 20", "expected TOML: .*line 2"),
    ],
)
def test_a_bad_scenario_is_refused_with_the_key_and_the_line(
    good: str, bad: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        Scenario.parse(PAIR.replace(good, bad, 1))


def test_a_line_is_found_within_tables_and_over_several_lines() -> None:
    text = (
        "[[a]]\nx = 1\n\n[[a]]\ny = [\n  { z = 1 },\n  # w\n  { w = 2 },\n]\n"
        '[a.b]\nc = """\nd = 1\n"""\n'
    )
    assert line_of(text, ("a", 0, "x")) == 2
    assert line_of(text, ("a", 1, "y")) == 5
    assert line_of(text, ("a", 1, "y", 1, "w")) == 8
    assert line_of(text, ("a", 1, "b", "c")) == 11
    assert line_of(text, ("a", 1, "missing")) == 4


def test_a_policy_that_is_neither_preset_nor_file_is_named(tmp_path: Path) -> None:
    scenario = Scenario.parse(PAIR.replace("POLICY", "nobody.cedar"))
    with pytest.raises(InvalidInput, match=r"balanced.*nobody\.cedar"):
        load_policies(scenario, tmp_path)
    (tmp_path / "nobody.cedar").write_text("permit;")
    with pytest.raises(BadPolicy, match=r"nobody\.cedar: line 1"):
        load_policies(scenario, tmp_path)
    with pytest.raises(NotFound, match="balanced-escape"):
        load_scenario("nobody")
