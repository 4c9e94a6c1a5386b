"""Analysis: rules that do nothing are found, and a rule that does something is never blamed."""

from __future__ import annotations

import time

import pytest

from comity.policies.analysis.findings import Problem, RuleFinding, analyse
from comity.policies.evaluator import Policy
from comity.policies.preset import preset_names
from tests.support.policy_facts import CA, HEAD, JP, PRESETS

INSTITUTES = ", ".join(f'"i{n}.example"' for n in range(256))


def findings(text: str) -> list[RuleFinding]:
    return analyse(Policy.parse(text))


def finding(condition: str, head: str = HEAD) -> RuleFinding:
    (found,) = findings(f"{head} when {{ {condition} }};")
    return found


@pytest.mark.parametrize("name", preset_names())
def test_no_rule_of_a_preset_is_in_vain(name: str) -> None:
    assert analyse(PRESETS[name]) == []


@pytest.mark.parametrize(
    "condition",
    [
        "false",
        "1 == 2",
        'principal.status == Status::"member" && principal.status == Status::"probation"',
        "resource.severity > 4",
        "context.received > 10 && context.received < 11",
        'principal.groups.containsAll(["a", "b"]) && !principal.groups.contains("a")',
        f'principal == Peer::"{CA}" && principal.institute == "{JP}"',
        'resource.releasableTo.contains("x.example") && !resource.listed',
    ],
)
def test_a_rule_without_a_case_can_never_match(condition: str) -> None:
    found = finding(condition)
    assert (found.problem, found.certain, found.rules) == (Problem.NEVER_MATCHES, True, ())
    assert found.sentence == "a can never match: no case meets its conditions"


def test_a_scope_that_names_one_peer_in_any_way_has_a_case() -> None:
    for scope in ("==", "in", "is Peer in"):
        head = HEAD.replace("principal,", f'principal {scope} Peer::"{JP}",')
        assert findings(f"{head};") == []


def test_a_scope_that_contradicts_a_condition_can_never_match() -> None:
    head = HEAD.replace("principal,", f'principal == Peer::"{CA}",')
    assert finding(f'principal.institute == "{JP}"', head).problem is Problem.NEVER_MATCHES
    head = HEAD.replace("action", 'action == Action::"query"')
    assert finding('action == Action::"replicate"', head).problem is Problem.NEVER_MATCHES


@pytest.mark.parametrize(
    "condition",
    [
        "context.received * 2 > 10 && context.received * 3 < 5",
        "context.given < context.received && context.given > context.received",
        'principal.institute like "*.uk" && !(principal.institute like "*k")',
        'context.received > 3 && resource.kind == Kind::"evaluation" '
        "&& principal.standing.received.evaluation < 3",
        'principal.groups.containsAll(["a", "b", "c", "d", "e"]) '
        '&& !principal.groups.contains("e")',
    ],
)
def test_what_cannot_be_tried_in_full_is_not_called_certain(condition: str) -> None:
    found = finding(condition)
    assert (found.problem, found.certain) == (Problem.NEVER_MATCHES, False)
    assert found.sentence == "a: no case was found that meets its conditions"


@pytest.mark.parametrize(
    ("condition", "rules"),
    [
        ('principal.status == Status::"suspended"', ("baseline-status",)),
        ('resource.tlp == Tlp::"RED" && !resource.listed', ("baseline-unlisted",)),
        ("!resource.own && !resource.onward", ("baseline-onward",)),
        ("resource.issuer == principal.institute", ("baseline-issuer",)),
        (
            'resource.withdrawn || principal.status == Status::"removed"',
            ("baseline-status", "baseline-withdrawn"),
        ),
    ],
)
def test_a_permit_of_what_the_baseline_forbids_is_moot(
    condition: str, rules: tuple[str, ...]
) -> None:
    found = finding(condition)
    assert (found.problem, found.certain, found.rules) == (Problem.MOOT, True, rules)
    names = ", ".join(rules)
    assert found.sentence == f"a is moot: the baseline forbids all that it permits, by {names}"


def test_a_permit_is_moot_whatever_the_policys_own_forbids_say_as_well() -> None:
    suspended = 'when { principal.status == Status::"suspended" };'
    (found, own) = findings(
        f'{HEAD} {suspended}\n@id("own") forbid (principal, action, resource) {suspended}'
    )
    assert (found.problem, found.rules) == (Problem.MOOT, ("baseline-status",))
    assert (own.rule_id, own.problem) == ("own", Problem.MOOT)


def test_a_forbid_of_what_the_baseline_forbids_is_moot() -> None:
    found = finding("resource.withdrawn", HEAD.replace("permit", "forbid"))
    assert found.sentence == (
        "a is moot: the baseline forbids all that it forbids, by baseline-withdrawn"
    )


def test_a_template_of_what_the_baseline_forbids_is_moot() -> None:
    head = '@id("a") permit (principal == ?principal, action, resource in ?resource)'
    assert finding('principal.status == Status::"suspended"', head).problem is Problem.MOOT


def test_a_permit_that_the_policys_own_forbids_cover_is_shadowed() -> None:
    (found,) = findings(
        f"{HEAD} when {{ resource.severity > 3 }};\n"
        '@id("mild") forbid (principal, action, resource) when { resource.severity > 2 };'
    )
    assert (found.problem, found.rules) == (Problem.SHADOWED, ("mild",))
    assert found.sentence == "a is shadowed: other rules forbid all that it permits, by mild"


def test_a_finding_names_the_line_on_which_its_rule_begins() -> None:
    text = f"// first\n{HEAD};\n\n" + HEAD.replace('"a"', '"b"') + "\nwhen { false };"
    assert [(found.rule_id, found.line) for found in findings(text)] == [("b", 4)]


@pytest.mark.parametrize(
    "condition",
    [
        f'[{INSTITUTES}].contains(principal.institute) && resource.tlp == Tlp::"RED"',
        f'![{INSTITUTES}].contains(principal.institute) && resource.issuer == "i3.example"',
        "context.received > 5000000 && context.given == 7",
        'principal.institute like "*.gov.*"',
        'principal.clearances.containsAll(resource.domains) && resource.domains.contains("bio")',
        "context.given * 8 < (context.received + context.credit) * 10 + 160",
        'principal.standing.receivedEver.evaluation > 3 && resource.kind == Kind::"incident"',
        'principal.groups.containsAll(["a", "b", "c", "d", "e", "f", "g"])',
        f'principal is Peer && principal has groups && principal in [Peer::"{JP}"]',
        'if resource.own then resource.severity > 3 else resource.tags.contains("x")',
        "true",
    ],
)
def test_a_rule_that_matches_something_rare_is_not_blamed(condition: str) -> None:
    assert findings(f"{HEAD} when {{ {condition} }};") == []


@pytest.mark.parametrize(
    ("condition", "where"),
    [
        ("context.given * 900000000000000000 >= 0", "context.given is 1000000"),
        (
            "resource.own && context.received * context.given * 10000000 > 5",
            "context.given is 1000000 and context.received is 1000000",
        ),
        (
            'resource.kind == Kind::"incident" && '
            "0 - principal.standing.given.dataset * 9223372036854775807 < 1",
            "principal.standing.given.dataset is ",
        ),
    ],
)
def test_a_rule_that_overflows_at_counts_that_may_be_reached_is_told(
    condition: str, where: str
) -> None:
    found = finding(f'principal.groups.contains("a") && {condition}')
    assert (found.problem, found.certain, found.rules) == (Problem.FAILS, True, ())
    assert found.sentence.startswith(f"a can fail where {where}")
    assert found.sentence.endswith("and where a rule fails nothing is given")


@pytest.mark.parametrize(
    "condition",
    [
        "context.given * 1000000 < context.received * 1000000 + 160",
        "context.given < 20 && context.given * 900000000000 >= 0 || context.given > 5",
        "context.given < 9 && context.given * 900000000000000000 >= 0",
        "context.given * 2000 < 5000000000000000",
        "9223372036854775807 - context.given > 0",
    ],
)
def test_a_rule_that_cannot_overflow_before_a_million_is_not_blamed(condition: str) -> None:
    assert findings(f"{HEAD} when {{ {condition} }};") == []


def test_a_long_policy_is_analysed_in_seconds_and_always_alike() -> None:
    text = "".join(
        f'@id("p{n}") permit (principal, action, resource) when {{ principal.institute == '
        f'"i{n}.example" && resource.kind == Kind::"evaluation" && context.received > {n} }};\n'
        f'@id("f{n}") forbid (principal, action, resource) when {{ principal.institute == '
        f'"i{n}.example" && resource.severity > {n % 6} }};\n'
        for n in range(60)
    )
    start = time.process_time()
    first = findings(text)
    assert time.process_time() - start < 10
    assert first == findings(text)
    assert {found.rule_id for found in first} == {f"f{n}" for n in range(60) if n % 6 >= 4}


def test_an_empty_policy_has_nothing_in_vain() -> None:
    assert findings("") == []
