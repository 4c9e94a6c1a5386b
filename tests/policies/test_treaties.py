"""Treaties: agreements that link a policy's template, for their party and for nobody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.policies.evaluator import Policy
from comity.policies.facts import Action, PartFacts, PeerFacts, PeerStatus
from comity.policies.preset import load_preset
from comity.policies.treaty import Treaty
from comity.record.errors import BadPolicy, Conflict, InvalidInput, LimitExceeded
from comity.record.handling import Tlp
from comity.record.kind import Kind
from comity.record.limits import MAX_SECTIONS, MAX_TEMPLATES, MAX_TREATIES
from tests.support.policy_facts import CA, CARD, JP, PEER, UK, handling_admits, parts, peers

START = datetime(2026, 1, 1, tzinfo=UTC)
TREATY = Treaty("uk-ca-2026", CA, frozenset(), frozenset(), START)
PRESET = Policy.parse(load_preset("treaty"))
TEMPLATE = '@id("t") permit (principal == ?principal, action, resource in ?resource)'

treaties = st.builds(
    Treaty,
    treaty_id=st.sampled_from(["a", "b", "c"]),
    party=st.sampled_from([UK, CA, JP]),
    kinds=st.frozensets(st.sampled_from(Kind), max_size=3),
    sections=st.frozensets(st.sampled_from(["?", "risks", "uses"]), max_size=2),
    start=st.just(START),
)
several = st.lists(treaties, max_size=3, unique_by=lambda treaty: treaty.treaty_id)


@given(several, peers, st.lists(parts, max_size=3))
def test_a_treaty_gives_its_party_what_it_covers_and_handling_admits(
    agreed: list[Treaty], peer: PeerFacts, asked: list[PartFacts]
) -> None:
    decisions = PRESET.with_treaties(agreed).decide_many(peer, asked)
    for part, decision in zip(asked, decisions, strict=True):
        covering = [t for t in agreed if t.party == peer.institute and t.covers(part)]
        public = part.tlp is Tlp.CLEAR or part.kind is Kind.WITHDRAWAL
        due = public or (part.own and bool(covering))
        assert decision.allowed == (due and handling_admits(peer, part))
        if decision.allowed and part.own:
            named = {f"treaty-exchange[{treaty.treaty_id}]" for treaty in covering}
            assert {rule for rule in decision.rules if "[" in rule} == named


def test_a_decision_and_its_message_name_the_treaty() -> None:
    decision = PRESET.with_treaties([TREATY]).decide(PEER, CARD)
    assert decision.rules == ("treaty-exchange[uk-ca-2026]",)
    assert decision.message == (
        "permitted by treaty-exchange[uk-ca-2026]: "
        f"the treaty uk-ca-2026 with {CA} covers the header of kind model-card"
    )


def test_a_treaty_that_is_no_longer_handed_in_gives_nothing_more() -> None:
    policy = PRESET.with_treaties([TREATY])
    assert policy.decide(PEER, CARD).allowed
    assert not policy.with_treaties([]).decide(PEER, CARD).allowed


def test_a_policy_without_a_template_ignores_treaties() -> None:
    policy = Policy.parse(load_preset("like-for-like"))
    linked = policy.with_treaties([TREATY])
    assert linked.decide(PEER, CARD) == policy.decide(PEER, CARD)
    assert linked.terms_digest(CA) == policy.digest


def test_a_linked_rule_that_fails_denies_and_is_named_with_its_treaty() -> None:
    policy = Policy.parse(f"{TEMPLATE} when {{ context.given * 10000 > 0 }};")
    standing = PEER.standing.after_giving(Kind.MODEL_CARD, 2**53 - 1)
    decision = policy.with_treaties([TREATY]).decide(replace(PEER, standing=standing), CARD)
    assert not decision.allowed
    assert "t[uk-ca-2026]: integer overflow" in decision.message


def test_treaties_change_the_terms_of_their_party_alone_and_only_what_bears_on_decisions() -> None:
    policy = PRESET.with_treaties([TREATY])
    assert PRESET.terms_digest(CA) == PRESET.digest == policy.digest
    assert policy.terms_digest(CA) != PRESET.digest
    assert policy.terms_digest(JP) == PRESET.digest
    longer = PRESET.with_treaties([replace(TREATY, end=START + timedelta(days=900))])
    assert longer.terms_digest(CA) == policy.terms_digest(CA)
    wider = PRESET.with_treaties([replace(TREATY, kinds=frozenset({Kind.EVALUATION}))])
    assert wider.terms_digest(CA) != policy.terms_digest(CA)


def test_a_withdrawn_record_is_recalled_whatever_the_treaties() -> None:
    policy = PRESET.with_treaties([TREATY])
    peer = replace(PEER, status=PeerStatus.REMOVED)
    assert policy.decide(peer, CARD, Action.RECALL).rules == ("baseline-recall",)


def test_a_treaty_is_in_force_from_its_start_until_just_before_its_end() -> None:
    treaty = replace(TREATY, end=START + timedelta(days=1))
    second = timedelta(seconds=1)
    assert [treaty.active(START + at) for at in (-second, 0 * second)] == [False, True]
    assert treaty.active(treaty.start + timedelta(days=1) - second)
    assert not treaty.active(treaty.start + timedelta(days=1))
    assert TREATY.active(START + timedelta(days=10_000))


@given(treaties)
def test_a_treaty_is_read_back_from_its_value(treaty: Treaty) -> None:
    assert Treaty.parse(treaty.to_value()) == treaty


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"treatyId": "uk/ca"}, "treaty.treatyId", "uk/ca"),
        ({"treatyId": ""}, "treaty.treatyId", "1 to 128"),
        ({"party": "Canada"}, "treaty.party", "Canada"),
        ({"kinds": ["opinion"]}, "treaty.kinds[0]", "opinion"),
        ({"sections": [""]}, "treaty.sections", "header always comes"),
        ({"sections": [f"s{n}" for n in range(MAX_SECTIONS + 1)]}, "treaty.sections", "65"),
        ({"start": "yesterday"}, "treaty.start", "yesterday"),
        ({"end": "2025-12-31T00:00:00Z"}, "treaty.end", "after the start"),
        ({"end": "2026-01-01T00:00:00Z"}, "treaty.end", "after the start"),
        ({"colour": "red"}, "treaty.colour", "unknown field"),
    ],
)
def test_a_malformed_treaty_is_refused_with_its_field(
    change: dict[str, Any], field: str, message: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        Treaty.parse(TREATY.to_value() | change)
    assert caught.value.field == field
    assert message in caught.value.message


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"treaty\.start: expected a time with its zone"):
        replace(TREATY, start=datetime(2026, 1, 1))


def test_two_treaties_of_one_id_are_refused() -> None:
    with pytest.raises(Conflict, match="uk-ca-2026"):
        PRESET.with_treaties([TREATY, replace(TREATY, party=JP)])


def test_more_treaties_than_the_limit_are_refused() -> None:
    many = [replace(TREATY, treaty_id=f"t{n}") for n in range(MAX_TREATIES + 1)]
    assert len(PRESET.with_treaties(many[1:]).decide(PEER, CARD).rules) == MAX_TREATIES
    with pytest.raises(LimitExceeded, match="MAX_TREATIES"):
        PRESET.with_treaties(many)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (TEMPLATE.replace("principal == ?principal", "principal"), "column 18", "?principal"),
        (TEMPLATE.replace("resource in ?resource", "resource"), "column 51", "?resource"),
        (TEMPLATE.replace("in ?resource", "== ?resource"), "column 51", "resource in ?resource"),
        (TEMPLATE.replace("== ?principal", "in ?principal"), "column 18", "== ?principal"),
        (TEMPLATE.replace("principal ==", "principal is Peer in"), "column 18", "== ?principal"),
        (TEMPLATE.replace("permit", "forbid"), "column 10", "got a forbid"),
        (TEMPLATE + " when { principal == ?principal }", "line 1", "template slot"),
        (TEMPLATE.replace("?resource", "?record"), "line 1", "?record"),
        (TEMPLATE.replace("action", 'action == Action::"recall"'), "line 1", "recall"),
        (TEMPLATE + " when { resource.colour }", "line 1", "`colour`"),
        ('@id("t") permit (principal, action, resource in Treaty::"x")', "column 49", "Treaty"),
        ('@id("t") permit (principal, action, resource == Part::"0")', "column 49", "Part"),
    ],
)
def test_a_template_of_another_form_is_refused_with_place_and_reason(
    text: str, place: str, message: str
) -> None:
    with pytest.raises(BadPolicy) as caught:
        Policy.parse(text + ";")
    assert place in caught.value.message
    assert message in caught.value.message


def test_a_policy_that_would_multiply_its_treaties_is_refused() -> None:
    some = [TEMPLATE.replace('"t"', f'"t{n}"') + ";\n" for n in range(MAX_TEMPLATES + 1)]
    Policy.parse("".join(some[1:]))
    with pytest.raises(BadPolicy, match=f"line {MAX_TEMPLATES + 1}.*MAX_TEMPLATES"):
        Policy.parse("".join(some))
