"""The nearest change: what would release a part is found by asking, and is exact."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.policies.evaluator import Policy
from comity.policies.facts import PartFacts, PeerFacts, PeerStatus, Standing
from comity.policies.preset import preset_names
from comity.policies.treaty import Treaty
from comity.policies.ways.change import COUNTED, FactChange, Situation, What
from comity.policies.ways.nearest import MAX_AMOUNT, Way, nearest
from comity.record.handling import Tlp
from comity.record.kind import Kind
from comity.record.limits import MAX_TREATIES
from tests.support.policy_facts import CA, CARD, HEAD, JP, PEER, PRESETS, UK, parts, peers

EVALUATION = replace(CARD, kind=Kind.EVALUATION)
IN_DEBT = replace(
    PEER, standing=Standing(received={Kind.EVALUATION: 8}, given={Kind.EVALUATION: 32})
)


def ways(policy: Policy, peer: PeerFacts, *asked: PartFacts) -> list[Way]:
    return nearest(Situation(policy, peer, asked))


def sentences(policy: Policy, peer: PeerFacts, *asked: PartFacts) -> list[str]:
    return [way.sentence.removeprefix("would be released ") for way in ways(policy, peer, *asked)]


def apply(way: Way, situation: Situation) -> Situation:
    for change in way.changes:
        situation = change.apply(situation)
    return situation


def one_less(way: Way) -> list[Way]:
    """Every way that asks for one record less of one count, or leaves another change out."""
    smaller = []
    for i, change in enumerate(way.changes):
        rest = (*way.changes[:i], *way.changes[i + 1 :])
        if change.what in COUNTED and change.amount > 1:
            rest = (*rest, replace(change, amount=change.amount - 1))
        smaller.append(Way(rest, ""))
    return smaller


@settings(max_examples=40)
@given(st.sampled_from(preset_names()), peers, parts, st.booleans())
def test_what_is_proposed_releases_and_less_does_not(
    preset: str, peer: PeerFacts, part: PartFacts, with_header: bool
) -> None:
    header = replace(part, section="", domains=frozenset(), severity=0)
    asked = (part, header) if with_header else (part,)
    situation = Situation(PRESETS[preset], peer, asked)
    for way in nearest(situation):
        assert apply(way, situation).is_released()
        for less in one_less(way):
            assert not apply(less, situation).is_released()


@given(st.integers(0, 300), st.integers(0, 600), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=40)
def test_a_count_is_exact_for_any_ratio(received: int, owed: int, give: int, take: int) -> None:
    policy = Policy.parse(f"{HEAD} when {{ context.given * {take} < context.received * {give} }};")
    standing = Standing(received={Kind.EVALUATION: received}, given={Kind.EVALUATION: owed})
    needed = max(0, owed * take // give + 1 - received)
    found = ways(policy, replace(PEER, standing=standing), EVALUATION)
    expected = [(FactChange(What.RECEIVED, "evaluation", needed),)] if needed else []
    assert [way.changes for way in found] == expected


def test_a_peer_in_debt_is_told_how_many_records_it_lacks() -> None:
    assert sentences(PRESETS["balanced"], IN_DEBT, EVALUATION) == [
        f"after 2 more evaluations from {CA}"
    ]


def test_one_record_is_named_in_the_singular() -> None:
    expected = [f"after 1 more incident report from {CA}"]
    asked = replace(CARD, kind=Kind.INCIDENT)
    assert sentences(PRESETS["like-for-like"], PEER, asked) == expected


def test_records_of_another_kind_are_proposed_where_they_earn_credit() -> None:
    standing = replace(IN_DEBT.standing, weights={Kind.INCIDENT: 2})
    assert sentences(PRESETS["balanced"], replace(PEER, standing=standing), EVALUATION) == [
        f"after 2 more evaluations from {CA}",
        f"after 1 more incident report from {CA}",
    ]


def test_credit_that_no_record_would_earn_is_not_proposed() -> None:
    policy = Policy.parse(f"{HEAD} when {{ context.credit > 0 }};")
    assert not ways(policy, PEER, EVALUATION)
    standing = Standing(weights={Kind.EVALUATION: 3, Kind.DATASET: 2, Kind.INCIDENT: 0})
    found = sentences(policy, replace(PEER, standing=standing), EVALUATION)
    assert found == [f"after 1 more data set from {CA}"]


def test_a_peer_on_probation_would_be_given_it_as_a_member() -> None:
    peer = replace(PEER, status=PeerStatus.PROBATION)
    assert sentences(PRESETS["open"], peer, CARD) == [f"once {CA} is a member"]


def test_two_things_that_are_in_the_way_are_named_together() -> None:
    peer = replace(IN_DEBT, status=PeerStatus.PROBATION)
    assert sentences(PRESETS["balanced"], peer, EVALUATION) == [
        f"after 2 more evaluations from {CA}, and once {CA} is a member",
    ]


def test_three_things_that_are_in_the_way_are_named_together() -> None:
    policy = Policy.parse(
        f"{HEAD} when {{ context.received >= 7 }}\n"
        'when { principal.groups.contains("g7") && principal.clearances.contains("bio") };'
    )
    (way,) = ways(policy, PEER, EVALUATION)
    assert [(change.name, change.amount) for change in way.changes if change.amount > 1] == [
        ("evaluation", 7)
    ]
    assert {change.what for change in way.changes} == {
        What.RECEIVED,
        What.GROUP,
        What.CLEARANCE,
    }


def test_two_counts_that_are_in_the_way_are_each_exact() -> None:
    policy = Policy.parse(
        f"{HEAD} when {{ context.received >= 7 }}\n"
        "when { principal.standing.received.dataset >= 1200 };"
    )
    (way,) = ways(policy, PEER, EVALUATION)
    assert [(change.name, change.amount) for change in way.changes] == [
        ("evaluation", 7),
        ("dataset", 1200),
    ]


def test_groups_and_clearances_are_proposed_in_the_words_of_policy_and_part() -> None:
    part = replace(CARD, section="risks", domains=frozenset({"bio"}), severity=4)
    assert sentences(PRESETS["graduated"], PEER, part) == [
        f'once {CA} is in the group "joint-testing"',
        f'once {CA} is cleared for "bio"',
    ]


def test_a_part_of_several_domains_needs_all_their_clearances_at_once() -> None:
    part = replace(CARD, section="risks", domains=frozenset({"bio", "chem", "cyber"}), severity=4)
    together = f'once {CA} is cleared for all domains of the part: "bio", "chem", "cyber"'
    assert sentences(PRESETS["graduated"], PEER, part) == [
        together,
        f'once {CA} is in the group "joint-testing"',
    ]
    policy = Policy.parse(f"{HEAD} when {{ principal.clearances.containsAll(resource.domains) }};")
    assert sentences(policy, PEER, part) == [together]
    cleared = replace(PEER, clearances=frozenset({"bio", "chem"}))
    assert sentences(policy, cleared, part) == [f'once {CA} is cleared for "cyber"']
    probation = replace(PEER, status=PeerStatus.PROBATION)
    assert sentences(policy, probation, part) == [f"once {CA} is a member, and {together}"]


def test_no_more_clearances_are_proposed_than_are_needed() -> None:
    part = replace(CARD, domains=frozenset({"bio", "chem", "cyber"}))
    condition = "principal.clearances.containsAny(resource.domains)"
    found = ways(Policy.parse(f"{HEAD} when {{ {condition} }};"), PEER, part)
    assert [[change.name for change in way.changes] for way in found] == [
        ["bio"],
        ["chem"],
        ["cyber"],
    ]
    condition = 'principal.clearances.containsAll(["bio", "chem"])'
    found = ways(Policy.parse(f"{HEAD} when {{ {condition} }};"), PEER, part)
    assert [[change.name for change in way.changes] for way in found] == [["bio", "chem"]]


def test_a_purpose_of_the_issuers_is_proposed() -> None:
    part = replace(CARD, purposes=frozenset({"evaluation", "policy-advice"}))
    assert sentences(PRESETS["open"], PEER, part) == [
        f'once {CA} is bound to the purpose "evaluation"',
        f'once {CA} is bound to the purpose "policy-advice"',
    ]


def test_a_treaty_on_the_kind_and_section_is_proposed() -> None:
    section = replace(EVALUATION, section="results")
    expected = [f"under a treaty with {CA} on the section results of evaluations"]
    assert sentences(PRESETS["treaty"], PEER, section, EVALUATION) == expected


def test_no_treaty_is_proposed_where_no_more_can_be_linked() -> None:
    start = Treaty.parse(
        {"treatyId": "t", "party": JP, "kinds": [], "sections": [], "start": "2026-01-01T00:00:00Z"}
    )
    full = [replace(start, treaty_id=f"t{n}") for n in range(MAX_TREATIES)]
    found = ways(PRESETS["treaty"].with_treaties(full), PEER, EVALUATION)
    assert [change.what for way in found for change in way.changes] == [What.LABEL]


def test_a_section_is_not_near_while_its_header_is_withheld() -> None:
    peer = replace(PEER, groups=frozenset({"joint-testing"}), status=PeerStatus.PROBATION)
    section = replace(CARD, section="limitations", tlp=Tlp.CLEAR)
    assert not ways(PRESETS["graduated"], peer, section)
    assert sentences(PRESETS["graduated"], peer, section, CARD) == [f"once {CA} is a member"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"tlp": Tlp.AMBER}, ["listed ca.aisi.example", "labelled it TLP:GREEN"]),
        ({"releasable_to": frozenset({JP})}, ["listed ca.aisi.example"]),
        ({"own": False}, ["let it be passed on"]),
    ],
)
def test_where_handling_forbids_the_issuers_change_is_named(
    change: dict[str, object], expected: list[str]
) -> None:
    found = sentences(PRESETS["open"], PEER, replace(CARD, **change))  # type: ignore[arg-type]
    assert found[: len(expected)] == [f"if {UK}, who issued it, {words}" for words in expected]
    assert all(way.needs_issuer for way in ways(PRESETS["open"], PEER, replace(CARD, **change)))  # type: ignore[arg-type]


def test_handling_that_bars_twice_is_named_twice() -> None:
    relayed = replace(CARD, own=False, tlp=Tlp.AMBER, releasable_to=frozenset({JP}))
    (way,) = ways(PRESETS["open"], PEER, relayed)
    assert [change.what for change in way.changes] == [What.LISTED, What.ONWARD]


@pytest.mark.parametrize(
    "hopeless",
    [
        Situation(PRESETS["open"], PEER, (replace(CARD, withdrawn=True),)),
        Situation(PRESETS["open"], PEER, (replace(CARD, issuer=CA),)),
        Situation(Policy.parse(""), PEER, (CARD,)),
        Situation(
            Policy.parse(f"{HEAD} when {{ context.received > {MAX_AMOUNT} }};"), PEER, (CARD,)
        ),
    ],
    ids=["withdrawn", "its own", "no rule", "more than anyone has"],
)
def test_where_nothing_would_help_nothing_is_proposed(hopeless: Situation) -> None:
    assert nearest(hopeless) == []


def test_what_is_released_needs_no_change() -> None:
    assert not ways(PRESETS["open"], PEER, CARD)
