"""The command that explains release: what is withheld, why, and what would change it."""

from __future__ import annotations

import resource

import pytest

from tests.support.drafts import card, guidance
from tests.support.institutes import HandClock
from tests.support.operator import Operator

CA = "ca.aisi.example"


def test_what_is_withheld_is_told_with_the_nearest_change(operator: Operator) -> None:
    operator("policy", "set", "--preset", "like-for-like")
    record = operator.uk.publish(guidance())
    found = operator("policy", "explain", CA, record.record_id, "--json").json["parts"]
    wanted = f"would be released after 1 more piece of guidance from {CA}"
    assert [wanted in part["nearest"] for part in found] == [True, True]
    ended = operator("policy", "explain", CA, record.record_id)
    assert wanted in ended.out
    assert ended.err.count('note: "more" are records about subjects') == 1
    of_kind = operator("policy", "explain", CA, "--kind", "guidance")
    assert ended.err in of_kind.err
    assert "given and waits count parts" in of_kind.err
    assert "200 characters" in ended.err
    assert operator("policy", "explain", CA, record.record_id, "--json").err == ""


def test_what_is_given_has_no_nearest_change(operator: Operator) -> None:
    operator("policy", "set", "--preset", "open")
    record = operator.uk.publish(guidance())
    found = operator("policy", "explain", CA, record.record_id, "--json").json["parts"]
    assert [(part["allowed"], part["nearest"]) for part in found] == [(True, [])] * 2
    assert operator("policy", "explain", CA, record.record_id).err == ""


def test_an_embargo_is_told_with_its_end(operator: Operator) -> None:
    until = HandClock().in_seconds(3600)
    record = operator.uk.publish(card(handling={"embargo": until}))
    operator("policy", "set", "--preset", "open")
    found = operator("policy", "explain", CA, record.record_id, "--json").json["parts"]
    assert {tuple(part["nearest"]) for part in found} == {
        (f"would be released when its embargo ends, {until}",)
    }
    operator("policy", "set", "--preset", "like-for-like")
    [header, *_] = operator("policy", "explain", CA, record.record_id, "--json").json["parts"]
    assert header["nearest"] == [
        f"would be released after 1 more model card from {CA}, but not before its embargo ends, "
        + until
    ]


def test_classes_that_are_decided_alike_share_a_row(operator: Operator) -> None:
    operator("policy", "set", "--preset", "treaty")
    for tag in ("one", "two", "three"):
        operator.uk.publish(card(tag, tags=[tag]))
    out = operator("policy", "explain", CA, "--kind", "model-card").out
    assert out.count("(header)") == 1
    assert all(f"TLP:GREEN, {tag}" in " ".join(out.split()) for tag in ("one", "two", "three"))
    operator.uk.publish(card("four", tags=["four"]))
    out = operator("policy", "explain", CA, "--kind", "model-card").out
    assert "TLP:GREEN, three; and 1 more" in " ".join(out.split())


def test_a_kind_is_explained_by_class(operator: Operator) -> None:
    until = HandClock().in_seconds(3600)
    operator("policy", "set", "--preset", "treaty")
    for number in range(3):
        operator.uk.publish(card(f"model-{number}"))
    operator.uk.publish(card("public", tlp="CLEAR"))
    operator.uk.publish(card("later", handling={"embargo": until}))
    found = operator("policy", "explain", CA, "--kind", "model-card", "--json").json["classes"]
    told = {(one["part"]["tlp"], one["part"]["section"]): one for one in found}
    green, clear = told["GREEN", ""], told["CLEAR", ""]
    assert (green["given"], green["due"], green["underEmbargo"]) == (0, 3, 1)
    assert green["embargoTime"] == until
    assert green["nearest"][0] == f"would be released under a treaty with {CA} on model cards"
    assert (clear["given"], clear["due"], clear["rules"]) == (1, 0, ["treaty-public"])
    assert "TLP:GREEN" in operator("policy", "explain", CA, "--kind", "model-card").out
    assert operator("policy", "explain", CA, "--kind", "incident", "--json").json["classes"] == []
    assert operator("policy", "explain", CA).code == 1
    assert operator("policy", "explain", "fr.aisi.example", "--kind", "incident").code == 1


def test_a_disk_that_is_full_is_told_in_words(operator: Operator) -> None:
    operator("policy", "set", "--preset", "like-for-like")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, limit[1]))
    try:
        ended = operator("policy", "set", "--preset", "open")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("error: database: disk I/O error")
    assert "make room for the database" in ended.err
    assert operator("policy", "set", "--preset", "open").code == 0


def test_ways_that_were_not_looked_for_are_told_apart_from_none(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comity.node.release.explanation.MAX_EXPLAINED", 1)
    operator("policy", "set", "--preset", "treaty")
    operator.uk.publish(card())
    arguments = ("policy", "explain", CA, "--kind", "model-card")
    first, *others = operator(*arguments, "--json").json["classes"]
    assert first["nearest"]
    assert {one["nearest"] for one in others} == {None}
    ended = operator(*arguments)
    assert "not looked for" in ended.out
    assert "ask by its id instead of --kind" in ended.err


def test_explanation_of_a_record_and_of_its_kind_agree_with_release(operator: Operator) -> None:
    operator("policy", "set", "--preset", "treaty")
    operator("treaty", "add", "t1", "--party", CA, "--section", "risks", "--start", "2026-01-01")
    record = operator.uk.publish(card())
    released = {name for _, name in operator.uk.released(operator.ca)}
    assert released == {"", "risks"}
    parts = operator("policy", "explain", CA, record.record_id, "--json").json["parts"]
    assert {part["section"] for part in parts if part["allowed"]} == released
    classes = operator("policy", "explain", CA, "--kind", "model-card", "--json").json["classes"]
    assert {one["part"]["section"] for one in classes if one["allowed"]} == released
