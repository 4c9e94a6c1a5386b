"""Policy: the baseline that nobody can undo, the evaluator, and what is refused as a policy."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.policies.cedar import engine
from comity.policies.evaluator import Policy
from comity.policies.facts import Action, PartFacts, PeerFacts, PeerStatus, Standing, earned
from comity.policies.preset import load_preset, preset_names
from comity.record.errors import InvalidInput, NotFound
from comity.record.handling import Tlp
from comity.record.kind import Kind
from tests.support.policy_facts import (
    CA,
    CARD,
    HEAD,
    JP,
    PEER,
    PRESETS,
    UK,
    counts,
    handling_admits,
    parts,
    peers,
)

EVERYTHING = Policy.parse('@id("everything") permit (principal, action, resource);')
GIVING = (Action.REPLICATE, Action.QUERY)


@pytest.mark.parametrize(
    ("tlp", "listed", "status", "own"),
    list(product(Tlp, (None, frozenset[str](), frozenset({CA})), PeerStatus, (True, False))),
)
def test_baseline_holds_against_a_policy_that_permits_everything(
    tlp: Tlp, listed: frozenset[str] | None, status: PeerStatus, own: bool
) -> None:
    peer = replace(PEER, status=status)
    part = replace(CARD, tlp=tlp, releasable_to=listed, own=own)
    for action in GIVING:
        decision = EVERYTHING.decide(peer, part, action)
        assert decision.allowed == handling_admits(peer, part)
        if not decision.allowed:
            assert decision.rules
            assert all(rule.startswith("baseline-") for rule in decision.rules)


@given(peers, st.lists(parts, max_size=4), st.sampled_from(GIVING))
def test_what_any_preset_allows_handling_admits(
    peer: PeerFacts, several: list[PartFacts], action: Action
) -> None:
    for name in preset_names():
        for part, decision in zip(
            several, PRESETS[name].decide_many(peer, several, action), strict=True
        ):
            assert not decision.allowed or handling_admits(peer, part)


@given(peers, st.lists(parts, max_size=4), st.sampled_from(Action))
def test_deciding_many_parts_at_once_is_deciding_each(
    peer: PeerFacts, several: list[PartFacts], action: Action
) -> None:
    policy = PRESETS["balanced"]
    each = [policy.decide(peer, part, action) for part in several]
    assert policy.decide_many(peer, several, action) == each


@given(peers, parts)
def test_whoever_was_given_a_record_hears_of_its_recall(peer: PeerFacts, part: PartFacts) -> None:
    nothing = Policy.parse('@id("nothing") forbid (principal, action, resource);')
    assert nothing.decide(peer, part, Action.RECALL).rules == ("baseline-recall",)
    assert nothing.decide(peer, part, Action.RECALL).allowed


@given(peers, parts)
def test_facts_fit_the_schema(peer: PeerFacts, part: PartFacts) -> None:
    found = str(engine.entities(peer, [part]))
    cedarpy.Entities.from_json_str(found, engine.cedar_schema())


@given(parts)
def test_a_handling_class_is_read_back_from_its_identity(part: PartFacts) -> None:
    assert PartFacts.from_json(part.to_json()) == part


def test_a_handling_class_with_an_unknown_field_is_refused() -> None:
    data = CARD.to_json().replace(b'"tags"', b'"title"')
    with pytest.raises(InvalidInput, match="part"):
        PartFacts.from_json(data)


def test_an_empty_policy_gives_nothing_and_says_what_it_was_asked() -> None:
    decision = Policy.parse("").decide(PEER, replace(CARD, section="risks"))
    assert (decision.allowed, decision.rules) == (False, ())
    for word in ("replicate", "section risks", "model-card", "TLP:GREEN", UK, CA, "member"):
        assert word in decision.message


def test_a_rule_that_fails_denies_whatever_the_others_permit() -> None:
    overflow = """
        @id("all") permit (principal, action, resource);
        @id("count") permit (principal, action, resource)
        when { context.given * 10000 > 0 };"""
    peer = replace(PEER, standing=Standing(given={Kind.MODEL_CARD: 2**53 - 1}))
    decision = Policy.parse(overflow).decide(peer, CARD)
    assert (decision.allowed, decision.rules) == (False, ())
    assert "count" in decision.message
    assert "overflow" in decision.message


def test_rules_of_a_long_policy_are_named_in_the_order_of_the_text() -> None:
    text = "".join(f'@id("r{n}") permit (principal, action, resource);\n' for n in range(40))
    assert Policy.parse(text).decide(PEER, CARD).rules == tuple(f"r{n}" for n in range(40))


def test_a_denial_names_the_label_the_list_and_the_institute() -> None:
    part = replace(CARD, tlp=Tlp.RED, releasable_to=frozenset({JP}))
    message = EVERYTHING.decide(PEER, part).message
    assert message == (
        "forbidden by baseline-releasable-to: "
        f"the issuer's releasable-to list ({JP}) does not name {CA}"
    )


def test_a_long_list_is_cut_short_in_messages() -> None:
    part = replace(CARD, releasable_to=frozenset(f"i{n}.example" for n in range(200)))
    assert "and 195 more" in EVERYTHING.decide(PEER, part).message


def test_a_fact_that_looks_like_a_placeholder_stays_as_it_is() -> None:
    part = replace(CARD, section="{peer}", tlp=Tlp.AMBER, issuer="{tlp}", own=False)
    message = EVERYTHING.decide(PEER, part).message
    assert "{tlp} issued it and does not allow passing it on" in message


def test_an_institutes_own_reason_is_filled_in() -> None:
    policy = Policy.parse(
        '@id("no-red") @reason("we keep TLP:{tlp} from {peer}") forbid (principal,action,resource);'
    )
    expected = f"forbidden by no-red: we keep TLP:GREEN from {CA}"
    assert policy.decide(PEER, CARD).message == expected


def test_giving_a_record_uses_up_the_balance_of_its_kind_alone() -> None:
    standing = Standing().after_giving(Kind.EVALUATION, 19).after_giving(Kind.EVALUATION)
    assert standing.given == {Kind.EVALUATION: 20}
    peer = replace(PEER, standing=standing)
    evaluation = replace(CARD, kind=Kind.EVALUATION)
    allowed = [v.allowed for v in PRESETS["balanced"].decide_many(peer, [evaluation, CARD])]
    assert allowed == [False, True]


def test_credit_is_what_records_of_other_kinds_are_worth() -> None:
    weights = {Kind.INCIDENT: 5, Kind.DATASET: 2}
    received = {Kind.INCIDENT: 3, Kind.DATASET: 1, Kind.EVALUATION: 7}
    credit = earned(received, weights)
    assert credit[Kind.EVALUATION] == credit[Kind.MODEL_CARD] == 3 * 5 + 2
    assert (credit[Kind.INCIDENT], credit[Kind.DATASET]) == (2, 15)


@given(counts, counts, st.sampled_from(Kind), st.integers(0, 1000))
def test_receiving_a_record_earns_credit_as_if_counted_anew(
    received: dict[Kind, int], weights: dict[Kind, int], kind: Kind, n: int
) -> None:
    standing = Standing(received=received, credit=earned(received, weights), weights=weights)
    after = standing.after_receiving(kind, n)
    assert after.received == {**received, kind: received.get(kind, 0) + n}
    assert after.credit == earned(after.received, weights)


def test_a_policy_may_ask_for_all_that_was_ever_given_or_received() -> None:
    policy = Policy.parse(
        f"{HEAD} when {{ context.receivedEver >= 3 }}\n"
        'unless { principal.standing.givenEver["model-card"] > 9 };'
    )
    once = Standing(received={Kind.MODEL_CARD: 1}, received_ever={Kind.MODEL_CARD: 2})
    assert not policy.decide(replace(PEER, standing=once), CARD).allowed
    again = once.after_receiving(Kind.MODEL_CARD)
    assert policy.decide(replace(PEER, standing=again), CARD).allowed
    spent = again.after_giving(Kind.MODEL_CARD, 10)
    assert not policy.decide(replace(PEER, standing=spent), CARD).allowed


def test_what_counts_in_the_window_counts_for_ever() -> None:
    policy = Policy.parse(f"{HEAD} when {{ context.receivedEver == 4 }};")
    standing = Standing(received={Kind.MODEL_CARD: 4})
    assert policy.decide(replace(PEER, standing=standing), CARD).allowed


@pytest.mark.parametrize(
    ("condition", "depends"),
    [
        ("context.given < 3", True),
        ('principal.standing.received["model-card"] > 1', True),
        ('principal["standing"].given.dataset > 1', True),
        ('resource.tags.contains("standing")', False),
        ("resource.severity > 2 // context", False),
    ],
)
def test_a_policy_knows_whether_it_reads_standing(condition: str, depends: bool) -> None:
    text = f'@id("a") permit (principal, action, resource) when {{ {condition}\n}};'
    assert Policy.parse(text).depends_on_standing is depends


@pytest.mark.parametrize(
    ("condition", "depends"),
    [
        ("context.given < 3", True),
        ('principal.standing["givenEver"].dataset < 3', True),
        ("context.received > 1 && context.credit > 2", False),
    ],
)
def test_a_policy_knows_whether_giving_uses_standing_up(condition: str, depends: bool) -> None:
    text = f'@id("a") permit (principal, action, resource) when {{ {condition}\n}};'
    assert Policy.parse(text).depends_on_giving is depends


def test_equal_texts_have_equal_digests_and_are_equal_policies() -> None:
    assert Policy.parse(f"{HEAD};") == Policy.parse(f"{HEAD};")
    assert Policy.parse(f"{HEAD};").digest != Policy.parse(f"{HEAD} ;").digest


def test_an_unknown_preset_is_answered_with_those_that_exist() -> None:
    with pytest.raises(NotFound, match="balanced, graduated, like-for-like, open, treaty"):
        load_preset("secretive")
