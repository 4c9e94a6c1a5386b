"""Scenario files: what is refused, and where it stands."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from comity.policies.simulation.library import load_policies, load_scenario
from comity.policies.simulation.scenario_file import parse_scenario
from comity.policies.simulation.toml_lines import line_of
from comity.record.errors import BadPolicy, InvalidInput, NotFound
from tests.support.scenarios import PAIR


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
        (
            "count = 10 ",
            "count = 10, from = 15, to = 3 ",
            r"issues\[0\].to: line 6: .*15 on, got 3",
        ),
        ("count = 10 ", "count = 10, from = 50 ", r"issues\[0\].from: line 6: .*20 .*got 50"),
        ("count = 10 ", "on = [30, 40] ", r"issues\[0\].on: line 6: .*20 .*got 30"),
        ("count = 10 ", "on = [] ", r"issues\[0\].on: line 6: .*at least 1"),
        ("count = 10 ", 'per_day = "0.5" ', r"issues\[0\].per_day: line 6: .*got '0.5'"),
        ("count = 10 ", "per_day = true ", r"issues\[0\].per_day: line 6: .*got True"),
        (
            "count = 10 ",
            'count = 10, sections = ["risks", "risks"] ',
            r"issues\[0\].sections\[0\]: line 6: expected each section once, got 'risks'",
        ),
    ],
)
def test_a_bad_scenario_is_refused_with_the_key_and_the_line(
    good: str, bad: str, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_scenario(PAIR.replace(good, bad, 1))


CROWD = '[[crowd]]\ncount = 2\npolicy = "open"\n'
RELATION = '[[relation]]\nby = "uk.aisi.example"\nof = "ca.aisi.example"\n'
TREATY = '[[treaty]]\nparties = ["uk.aisi.example", "ca.aisi.example"]\n'


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (RELATION * 2, r"relation\[1\]: line 14: expected each pair once, got uk.* and ca"),
        (RELATION.replace("ca.", "uk."), r"relation\[0\].of: line 13: expected another"),
        (
            CROWD.replace("policy", 'id = "m{n}.example"\npolicy') + CROWD + CROWD,
            r"crowd\[2\].id: line 18: expected each id once, got member-1",
        ),
        (
            CROWD.replace("2", "12").replace("policy", f'id = "{"a" * 62}{{n}}.example"\npolicy'),
            r"crowd\[0\]: line 11: .*got 'aaaa",
        ),
        (TREATY.replace("ca.", "uk."), r"treaty\[0\]: line 11: expected two parties"),
        (TREATY.replace("ca.", "fr."), r"treaty\[0\].parties: line 12: .*got fr\.aisi"),
        (TREATY + "from = 9\nto = 3\n", r"treaty\[0\].to: line 14: .*from 9 on, got 3"),
        (TREATY + "from = 30\n", r"treaty\[0\].from: line 13: .*20 .*got 30"),
        (TREATY + 'sektions = ["risks"]\n', r"sektions: line 13: unknown key; .*sections"),
        (TREATY + 'id = "a/b"\n', r"treaty\[0\]: line 11: .*'a/b'"),
        (2 * (TREATY + 'id = "a"\n'), r"treaty\[1\].id: line 16: expected each treaty once"),
    ],
)
def test_tables_that_do_not_fit_together_are_refused(more: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_scenario(PAIR + more)


def test_a_name_that_no_file_can_have_is_no_policy(tmp_path: Path) -> None:
    scenario = parse_scenario(PAIR.replace("POLICY", "a\\u0000b"))
    with pytest.raises(InvalidInput, match=r"policy: .*balanced.*a\\x00b"):
        load_policies(scenario, tmp_path)


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


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "title", ["a\u2028b\x85c", "it's", '" [[a]] = {', "a # b", 'x"""', "'''", "back\\slash"]
)
def test_a_line_is_a_line_to_toml_whatever_strings_hold(title: str, end: str) -> None:
    quoted = title.replace("\\", "\\\\").replace('"', '\\"')
    lines = [f'title = "{quoted}" # "', f'x = """{quoted}', '"""""', "[[a]]", "y = ["]
    lines += ["  { z = 1 }, # ]", "  { z = '''[,", "{''', w = 2 },", "]"]
    text = end.join(lines)
    assert tomllib.loads(text)["a"][0]["y"][1]["w"] == 2
    assert line_of(text, ("x",)) == 2
    assert line_of(text, ("a", 0, "y", 0, "z")) == 6
    assert line_of(text, ("a", 0, "y", 1, "z")) == 7
    assert line_of(text, ("a", 0, "y", 1, "w")) == 8


def test_the_line_is_that_of_the_element_which_is_wrong() -> None:
    rows = "".join(f'  {{ kind = "evaluation", count = {n} }},\n' for n in (3, 2, 1, 0, 4))
    text = PAIR.replace('[{ kind = "evaluation", count = 10 }]', f"[\n{rows}]", 1)
    with pytest.raises(InvalidInput, match=r"issues\[3\].count: line 10: .*got 0"):
        parse_scenario(text)


def test_a_long_array_is_read_once_to_find_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "y = [\n" + "  { z = 1 },\n" * 500 + "  { w = 1 },\n]\n"
    loads, read = tomllib.loads, []

    def loads_once(some: str) -> object:
        read.append(some)
        return loads(some)

    monkeypatch.setattr(tomllib, "loads", loads_once)
    assert line_of(text, ("y", 500, "w")) == 502
    assert len(read) == 1


def test_a_policy_that_is_neither_preset_nor_file_is_named(tmp_path: Path) -> None:
    scenario = parse_scenario(PAIR.replace("POLICY", "nobody.cedar"))
    with pytest.raises(InvalidInput, match=r"balanced.*nobody\.cedar"):
        load_policies(scenario, tmp_path)
    (tmp_path / "nobody.cedar").write_text("permit;")
    with pytest.raises(BadPolicy, match=r"nobody\.cedar: line 1"):
        load_policies(scenario, tmp_path)
    with pytest.raises(NotFound, match="balanced-escape"):
        load_scenario("nobody")
