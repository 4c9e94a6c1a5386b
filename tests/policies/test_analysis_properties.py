"""The analysis of policies, checked against what Cedar itself decides about drawn questions."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from comity.policies.analysis.findings import Problem, analyse
from comity.policies.analysis.matching_case import find_witness
from comity.policies.analysis.truth_tables import Question, matching, parse_set
from comity.policies.cedar.rules import check_rules
from comity.policies.evaluator import Policy
from comity.policies.facts import Action, PartFacts, PeerFacts, PeerStatus, Standing
from comity.record.handling import Tlp
from comity.record.kind import Kind
from tests.support.policy_facts import CA, HEAD, JP, UK

ATOMS = [
    'principal.status == Status::"member"',
    'principal.status != Status::"member"',
    f'principal.institute == "{CA}"',
    f'["{CA}", "{JP}"].contains(principal.institute)',
    f'principal == Peer::"{JP}"',
    "resource.issuer == principal.institute",
    f'resource.issuer == "{UK}"',
    'principal.groups.contains("a")',
    'principal.groups.containsAll(["a", "b"])',
    "principal.groups.isEmpty()",
    'principal.purposes.containsAny(["a", "c"])',
    "principal.purposes.containsAny(resource.purposes)",
    'resource.kind == Kind::"evaluation"',
    '[Kind::"incident", Kind::"evaluation"].contains(resource.kind)',
    'resource.tlp == Tlp::"CLEAR"',
    '[Tlp::"RED", Tlp::"AMBER"].contains(resource.tlp)',
    "resource.listed",
    "resource.releasableTo.contains(principal.institute)",
    'resource.section == "risks"',
    'resource.section == ""',
    "resource.own",
    "resource.onward",
    "resource.withdrawn",
    "resource.severity >= 3",
    "resource.severity == 1",
    "context.received > 2",
    "context.received == 1",
    "context.given <= 0",
    'action == Action::"query"',
]

atoms = st.sampled_from(ATOMS).flatmap(lambda atom: st.sampled_from([atom, f"!({atom})"]))

either = st.lists(atoms, min_size=2, max_size=2).map(" || ".join)

conditions = st.lists(atoms | either, min_size=1, max_size=4).map(
    lambda several: " && ".join(f"({one})" for one in several)
)

kinds = st.sampled_from([Kind.EVALUATION, Kind.INCIDENT, Kind.DATASET])

few = st.frozensets(st.sampled_from(["a", "b", "c"]))

counts = st.dictionaries(kinds, st.integers(0, 4))

questions = st.builds(
    Question,
    st.builds(
        PeerFacts,
        institute=st.sampled_from([UK, CA, JP, "other.example"]),
        status=st.sampled_from(PeerStatus),
        groups=few,
        clearances=few,
        purposes=few,
        standing=st.builds(Standing, counts, counts),
    ),
    st.builds(
        PartFacts,
        kind=kinds,
        issuer=st.sampled_from([UK, CA, JP, "another.example"]),
        section=st.sampled_from(["", "risks", "uses"]),
        tlp=st.sampled_from(Tlp),
        releasable_to=st.none() | st.frozensets(st.sampled_from([UK, CA, JP])),
        onward=st.booleans(),
        purposes=few,
        tags=few,
        domains=few,
        severity=st.integers(0, 4),
        own=st.booleans(),
        withdrawn=st.booleans(),
    ),
    st.sampled_from([Action.REPLICATE, Action.QUERY]),
)


@settings(max_examples=60)
@given(conditions, st.lists(questions, min_size=10, max_size=20))
def test_no_rule_that_decides_something_is_blamed(condition: str, asked: list[Question]) -> None:
    policy = Policy.parse(f"{HEAD} when {{ {condition} }};")
    problems = [found.problem for found in analyse(policy) if found.certain]
    handle = parse_set({"a": policy.rules[0].parsed})
    for question, matched in zip(asked, matching(handle, asked), strict=True):
        if matched:
            assert Problem.NEVER_MATCHES not in problems
        if policy.decide(question.peer, question.part, question.action).allowed:
            assert not problems


@settings(max_examples=60)
@given(conditions, conditions)
def test_a_witness_is_matched_by_the_one_rule_and_not_by_the_other(one: str, other: str) -> None:
    text = f'@id("a") permit (principal, action, resource) when {{ {one} }};'
    rules = check_rules(f'{text} @id("b") forbid (principal, action, resource) when {{ {other} }};')
    witness = find_witness(rules[0], [rules[1]]).witness
    if witness is not None:
        matched, unmatched = (parse_set({rule.rule_id: rule.parsed}) for rule in rules)
        assert matching(matched, [witness]) == [frozenset({"a"})]
        assert matching(unmatched, [witness]) == [frozenset()]
