"""A policy that is not acceptable is refused at the place that is at fault, with the reason."""

from __future__ import annotations

import time

import pytest

from comity.policies.cedar.source import MAX_NESTING, MAX_RULE_TOKENS
from comity.policies.evaluator import Policy
from comity.record.errors import BadPolicy, LimitExceeded
from comity.record.limits import MAX_POLICY_BYTES

HEAD = '@id("a") permit (principal, action, resource)'


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        (f"{HEAD}\nwhen {{ principal.status == }};", "line 2, column 28", "unexpected token `}`"),
        (f"{HEAD} when {{ 1 == }} unless {{ 2 == 3 }};", "column 59", "token `}`"),
        (f"{HEAD} when {{ 1 1 }};", "column 56", "token `1`"),
        (f"// é\n{HEAD} # no\n;", "line 2, column 47", "invalid token"),
        (f"\n{HEAD}", "line 2, column 46", "end in ';'"),
        (f"{HEAD};\n @id('b') permit;", "line 2, column 6", "invalid token"),
        ('@id("a") @id("b") permit (principal, action, resource);', "line 1", "duplicate"),
        (f"{HEAD}\nwhen {{ principal.standng == 1 }};", "line 2, column 18", "`standng`"),
        (f'{HEAD}\nwhen {{ resource.tlp == Tlp::"REDD" }};', "line 2, column 29", "REDD"),
        ('@id("a") permit (principal, action == Action::"send", resource);', "column 47", "send"),
        ("\npermit (principal, action, resource);", "line 2, column 1", 'expected @id("...")'),
        ('@id("a,b") permit (principal, action, resource);', "line 1, column 1", "a,b"),
        (f"{HEAD};\n\n {HEAD};", "line 3, column 2", "each @id once"),
        (HEAD.replace('"a"', '"baseline-a"') + ";", "line 1", "baseline-"),
        (HEAD.replace("permit", '@reason("{who}") permit') + ";", "column 11", "{who}"),
        (
            HEAD.replace("principal", "principal == ?principal") + ";",
            "column 51",
            "resource in ?resource",
        ),
        (HEAD.replace("action", 'action == Action::"recall"') + ";", "line 1", "recall"),
        (f"{HEAD} when {{ {'(' * 1_000}", "line 1", f"at most {MAX_NESTING} brackets"),
        (f"{HEAD} when {{ {'true || ' * 9_000} true }};", "line 1", f"at most {MAX_RULE_TOKENS}"),
    ],
)
def test_a_bad_policy_is_refused_with_place_and_reason(text: str, place: str, reason: str) -> None:
    with pytest.raises(BadPolicy) as caught:
        Policy.parse(text)
    assert place in caught.value.message
    assert reason in caught.value.message
    assert caught.value.field == "policy"


@pytest.mark.parametrize(
    ("conditions", "place", "reason"),
    [
        (
            "when { context.given > 1 }\nwhen { principal.given > 1 }",
            "line 3, column 18",
            "attribute `given` on entity type `Peer` not found",
        ),
        (
            'when { principal.status == Status::"member" }\n'
            'unless { resource.own &&\nresource.status == Status::"member" }',
            "line 4, column 10",
            "attribute `status` on entity type `Part` not found",
        ),
        (
            'when { resource.own }\nwhen { resource.severity > 1 ||\nresource.severity == "high" }',
            "line 4, column 22",
            "the types Long and String are not compatible",
        ),
        (
            "when { context.given > 1 &&\ncontext.given }",
            "line 3, column 9",
            "expected Bool but saw Long",
        ),
        (
            "when { if resource.own && context.received\nthen resource.own else true }",
            "line 2, column 35",
            "expected Bool but saw Long",
        ),
        (
            'when { principal.standing.given["card"] > 1 }',
            "line 2, column 33",
            "`standing.given.card`",
        ),
        ("when { resource.severity.rank > 1 }", "line 2, column 26", "an entity, or a record but"),
        ("when { context == 1 }", "line 2, column 19", "the types Long and a record are"),
        (
            'when { resource.kind.contains("x") }',
            "line 2, column 31",
            "expected a set but saw Kind",
        ),
    ],
)
def test_what_does_not_fit_the_schema_is_shown_where_it_stands(
    conditions: str, place: str, reason: str
) -> None:
    with pytest.raises(BadPolicy) as caught:
        Policy.parse(f"{HEAD}\n{conditions};")
    assert caught.value.message.startswith(f"{place}: ")
    assert reason in caught.value.message
    assert "cedar::" not in caught.value.message


def test_a_scope_that_names_no_kind_of_peer_is_shown_where_it_does() -> None:
    with pytest.raises(BadPolicy, match=r"line 2, column 28: .* scope"):
        Policy.parse('@id("a")\npermit (principal == Part::"x", action, resource);')


def test_an_annotation_of_any_name_does_not_hide_a_fault() -> None:
    for name in ("if", "then", "else", "permit"):
        with pytest.raises(BadPolicy, match=r"line 2, column 64: .*`given`"):
            Policy.parse(f'@{name}("x")\n{HEAD} when {{ principal.given > 1 }};')


def test_what_must_not_be_named_is_shown_where_it_is_and_not_where_the_word_stands_before() -> None:
    with pytest.raises(BadPolicy, match="line 2, column 30"):
        Policy.parse('@id("recall")\npermit (principal, action == Action::"recall", resource);')
    with pytest.raises(BadPolicy, match="line 3, column 20"):
        Policy.parse(f'{HEAD}\nwhen {{ resource is Part }}\nwhen {{ resource == Part::"x" }};')


def test_a_fault_in_a_very_long_rule_is_found_in_a_moment() -> None:
    listed = ", ".join(f'"i{n}.example"' for n in range(900))
    start = time.process_time()
    with pytest.raises(BadPolicy, match="line 2, column 5"):
        Policy.parse(f'{HEAD} when {{\n[3, {listed}].contains("x") }};')
    assert time.process_time() - start < 3


def test_a_rule_may_name_every_institute_of_a_large_network() -> None:
    institutes = ", ".join(f'"i{n}.example"' for n in range(256))
    Policy.parse(f"{HEAD} when {{ [{institutes}].contains(principal.institute) }};")


def test_a_policy_over_the_limit_is_refused_by_name() -> None:
    with pytest.raises(LimitExceeded, match="MAX_POLICY_BYTES"):
        Policy.parse("//" + "x" * MAX_POLICY_BYTES)
