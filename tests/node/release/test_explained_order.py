"""Explanation: what would release a record counts those that would be released before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.node.trust.peers import AgreedTerms
from comity.policies.preset import load_preset
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.releases import ALLOWANCE_OF_TWO, explained, headers, release_all, sections

UK, CA = "uk.aisi.example", "ca.aisi.example"


@pytest.fixture
def pair(tmp_path: Path, new_database: NewDatabase) -> Iterator[list[Institute]]:
    """Yield uk, whose policy lets two cards go ahead, and ca, whose policy is open."""
    with institutes(tmp_path, HandClock(), new_database, UK, CA) as [uk, ca]:
        uk.node.set_policy(ALLOWANCE_OF_TWO)
        ca.node.set_policy(load_preset("open"))
        yield [uk, ca]


@pytest.mark.parametrize("tags", [1, 2], ids=["alike", "in two classes"])
def test_a_record_that_waits_behind_others_is_told_for_how_many(
    pair: list[Institute], tags: int
) -> None:
    uk, ca = pair
    drafts = [card(f"model-{n}", tags=[f"tag-{n % tags}"]) for n in range(5)]
    records = [uk.sign(draft) for draft in drafts]
    uk.node.publish_all(records)
    release_all(uk)
    waiting = [r for r in records if not sections(uk, ca, r.record_id)]
    told = {r.record_id: explained(uk, ca, r)[""].nearest[0] for r in waiting}
    one = f"would be released after 1 more model card from {CA}"
    two = f"would be released after 2 more model cards from {CA}"
    assert sorted(told.values()) == [one, one, two]
    ca.publish(card("theirs"))
    uk.pull(ca)
    release_all(uk)
    assert headers(uk, ca) == 4
    [last] = [r for r in waiting if not sections(uk, ca, r.record_id)]
    assert told[last.record_id] == two
    assert explained(uk, ca, last)["limitations"].nearest[0] == one
    ca.publish(card("theirs too"))
    uk.pull(ca)
    release_all(uk)
    assert headers(uk, ca) == 5


def test_what_no_rule_permits_is_not_told_to_go_first(pair: list[Institute]) -> None:
    uk, ca = pair
    uk.node.set_policy(
        '@id("open") permit (principal, action, resource) when {'
        '!resource.tags.contains("secret") && context.given < context.received + 2 };'
    )
    uk.publish(card("secret", tags=["secret"]))
    uk.node.publish_all([uk.sign(card(f"model-{n}")) for n in range(2)])
    last = uk.publish(card("last"))
    release_all(uk)
    assert headers(uk, ca) == 2
    way = explained(uk, ca, last)[""].nearest[0]
    assert way == f"would be released after 1 more model card from {CA}"


def test_a_record_with_one_bar_more_is_told_of_those_that_go_first(pair: list[Institute]) -> None:
    uk, ca = pair
    uk.node.set_policy(
        ALLOWANCE_OF_TWO + '@id("bio") forbid (principal, action, resource)'
        'when { resource.tags.contains("bio") && !principal.clearances.contains("bio") };'
    )
    uk.node.publish_all([uk.sign(card(f"model-{n}")) for n in range(4)])
    last = uk.publish(card("bio", tags=["bio"]))
    release_all(uk)
    way = explained(uk, ca, last)[""].nearest[0]
    assert way.startswith(f"would be released after 2 more model cards from {CA}, and once")
    for number in range(2):
        ca.publish(card(f"theirs-{number}"))
    uk.pull(ca)
    uk.node.change_peer(CA, None, AgreedTerms(clearances=["bio"]))
    release_all(uk)
    assert sections(uk, ca, last.record_id)
