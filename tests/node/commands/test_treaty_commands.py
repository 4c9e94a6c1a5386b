"""comity-node treaty: what operators keep, and are told of it."""

from __future__ import annotations

import pytest

from tests.support.drafts import card
from tests.support.operator import CA, Operator


def test_a_treaty_is_added_listed_and_ended(operator: Operator) -> None:
    operator("policy", "set", "--preset", "treaty")
    operator.uk.publish(card())
    span = ("--start", "2026-01-01", "--end", "2999-01-01T12:00:00Z")
    ended = operator("treaty", "add", "uk-ca", "--party", CA, "--kind", "model-card", *span)
    assert (ended.code, ended.err) == (0, "")
    assert len(operator.uk.released(operator.ca)) == 3
    [found] = operator("treaty", "list", "--json").json
    assert (found["state"], found["kinds"], found["sections"]) == ("in force", ["model-card"], [])
    assert (found["start"], found["end"]) == ("2026-01-01T00:00:00Z", "2999-01-01T12:00:00Z")
    assert operator("treaty", "end", "uk-ca", "--json").json["state"] == "over"
    assert "over" in operator("treaty", "list").out
    assert operator("treaty", "end", "uk-ca").code == 1


def test_a_treaty_that_was_ended_before_its_start_was_never_in_force(operator: Operator) -> None:
    operator("policy", "set", "--preset", "treaty")
    operator("treaty", "add", "uk-ca", "--party", CA, "--start", "2999-01-01")
    assert operator("treaty", "end", "uk-ca", "--json").json["state"] == "never in force"
    assert "never in force" in operator("treaty", "list").out


def test_a_section_that_no_model_card_has_is_remarked(operator: Operator) -> None:
    operator("policy", "set", "--preset", "treaty")
    add = ("treaty", "add", "--party", CA, "--start", "2999-01-01")
    sections = ("--section", "limitatons", "--section", "risks", "--section", "?")
    ended = operator(*add, "t1", *sections)
    assert ended.code == 0
    assert ended.err.count("warning: no known section has the name") == 1
    assert "'limitatons'; known are details, uses, " in ended.err
    assert operator(*add, "t2", "--kind", "evaluation", "--section", "results").err == ""


def test_a_treaty_that_no_rule_bears_on_is_remarked(operator: Operator) -> None:
    operator("policy", "set", "--preset", "open")
    ended = operator("treaty", "add", "uk-ca", "--party", CA, "--start", "2999-01-01", "--json")
    assert ended.json["state"] == "to come"
    assert "no rule with ?principal" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--party", "fr.aisi.example", "--start", "2026-01-01"],
            "treaty.party: no peer 'fr.aisi.example'",
        ),
        (["--party", "Not a name", "--start", "2026-01-01"], "treaty.party"),
        (
            ["--party", "fr.aisi.example", "--party", CA, "--start", "2026-01-01"],
            f"expected one party beside this institute, got fr.aisi.example, {CA}",
        ),
        (["--party", CA, "--start", "2026-01-01", "--kind", "gossip"], "treaty.kinds"),
        (["--party", CA, "--start", "2026-01-01", "--section", ""], "treaty.sections"),
        (["--party", CA, "--start", "soon"], "treaty.start"),
        (["--party", CA, "--start", "2999-02-01", "--end", "2999-01-01"], "treaty.end"),
        (["--party", CA, "--start", "2026-01-01", "--end", "2026-02-01"], "lies ahead"),
    ],
)
def test_a_bad_treaty_is_refused_in_words(
    operator: Operator, arguments: list[str], said: str
) -> None:
    ended = operator("treaty", "add", "uk-ca", *arguments)
    assert (ended.code, ended.out) == (1, "")
    assert said in ended.err
    assert operator("treaty", "list", "--json").json == []


def test_a_treaty_id_is_used_once(operator: Operator) -> None:
    arguments = ("treaty", "add", "uk-ca", "--party", CA, "--start", "2026-01-01")
    operator(*arguments)
    operator("treaty", "end", "uk-ca")
    ended = operator(*arguments)
    assert ended.code == 1
    assert "expected a new id" in ended.err
    assert "treaty list" in ended.err
