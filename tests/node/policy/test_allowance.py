"""Under a policy that asks what was given, no more is given at once than one by one."""

from __future__ import annotations

import pytest

from comity.node.database.tables import RecordRow
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from tests.support.drafts import card, guidance
from tests.support.institutes import Institute
from tests.support.releases import headers

CA = "ca.aisi.example"
OPEN, BALANCED = load_preset("open"), load_preset("balanced")


def test_balanced_gives_its_allowance_and_more_after_receiving(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(BALANCED)
    ca.node.set_policy(OPEN)
    uk.node.publish_all([uk.sign(card(f"model-{number}")) for number in range(30)])
    assert headers(uk, ca) == 20
    assert len(uk.released(ca)) == 60
    for number in range(4):
        ca.publish(card(f"another-{number}"))
    uk.pull(ca)
    uk.node.release()
    assert headers(uk, ca) == 25
    assert uk.node.release() == 0


def test_balanced_counts_across_classes_and_not_across_kinds(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(BALANCED)
    tagged = [uk.sign(card(f"model-{n}", tags=[f"tag-{n % 7}"])) for n in range(28)]
    uk.node.publish_all(tagged)
    uk.publish(guidance())
    assert headers(uk, ca) == 21


def test_balanced_gives_the_same_whether_records_come_at_once_or_one_by_one(
    fresh_pair: list[Institute],
) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(BALANCED)
    for number in range(22):
        uk.publish(card(f"model-{number}"))
    assert headers(uk, ca) == 20
    assert len(uk.released(ca)) == 60


COUPLED = """
@id("all") permit (principal, action, resource);
@id("coupled") forbid (principal, action, resource)
when { resource.own && resource.section == "" && resource.kind == Kind::"evaluation" }
unless { context.given < 2 + principal.standing.given["model-card"] };
"""
OR_GUIDANCE = """
@id("all") permit (principal, action, resource);
@id("coupled") forbid (principal, action, resource)
when { resource.own && resource.section == "" && resource.kind == Kind::"evaluation" }
unless { context.given < 2 || principal.standing.given["guidance"] > 0 };
"""


@pytest.mark.parametrize("policy", [COUPLED, OR_GUIDANCE])
def test_a_rule_that_couples_kinds_limits_what_is_given_at_once(
    fresh_pair: list[Institute], policy: str
) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(policy)
    uk.node.publish_all([uk.sign(card(f"model-{n}", kind="evaluation")) for n in range(9)])
    assert headers(uk, ca) == 2


def test_what_is_passed_on_goes_before_giving_uses_standing_up(trio: list[Institute]) -> None:
    uk, ca, jp = trio
    uk.node.set_policy(
        '@id("all") permit (principal, action, resource);'
        '@id("few") forbid (principal, action, resource)'
        'when { resource.section == "" } unless { context.given < 2 };'
    )
    jp.node.set_policy(OPEN)
    uk.node.set_peer_status(CA, PeerStatus.SUSPENDED)
    for number in range(4):
        uk.publish(card(f"model-{number}"))
        jp.publish(card(f"theirs-{number}", handling={"onward": True}))
    uk.pull(jp)
    uk.node.set_peer_status(CA, PeerStatus.MEMBER)
    passed_on = {row.record_id for row in jp.rows(RecordRow)}
    given = [record_id in passed_on for record_id, name in uk.released(ca) if not name]
    assert given == [True] * 4 + [False] * 2
