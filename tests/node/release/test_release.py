"""Release: each peer's queue holds what handling and policy allow, no more, and nothing less."""

from __future__ import annotations

from pathlib import Path

from comity.node.database.tables import PeerRow, ReleaseRow, RulingRow
from comity.policies.facts import PeerStatus
from tests.support.databases import NewDatabase
from tests.support.drafts import card, guidance
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.network import befriend
from tests.support.releases import (
    CA,
    CARDS_ONLY,
    JP,
    NO_RISKS,
    OPEN,
    UK,
    WHOLE,
    headers,
    sections,
    versions,
)


def test_without_a_policy_nothing_is_released(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.publish(card(tlp="CLEAR"))
    assert uk.released(ca) == []


def test_a_wider_policy_releases_exactly_the_difference(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(CARDS_ONLY)
    guide, model_card = uk.publish(guidance()), uk.publish(card())
    before = uk.released(ca)
    assert {i for i, _ in before} == {model_card.record_id}
    uk.node.set_policy(OPEN)
    after = uk.released(ca)
    assert after[: len(before)] == before
    assert sorted(after[len(before) :]) == [(guide.record_id, ""), (guide.record_id, "text")]


def test_a_narrower_policy_stops_what_comes_later_and_takes_nothing_back(
    fresh_pair: list[Institute],
) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(OPEN)
    first = uk.publish(guidance())
    uk.node.set_policy(CARDS_ONLY)
    uk.publish(guidance())
    assert {i for i, _ in uk.released(ca)} == {first.record_id}


def test_what_a_narrower_policy_passed_over_comes_with_a_wider_one(
    fresh_pair: list[Institute],
) -> None:
    uk, ca = fresh_pair
    for policy in (OPEN, CARDS_ONLY, OPEN, CARDS_ONLY, OPEN):
        uk.node.set_policy(policy)
        uk.publish(guidance())
    assert headers(uk, ca) == 5
    assert len(uk.released(ca)) == len(set(uk.released(ca))) == 10


def test_a_section_that_policy_withholds_follows_once_it_is_allowed(
    fresh_pair: list[Institute],
) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(NO_RISKS)
    record = uk.publish(card())
    assert sections(uk, ca, record.record_id) == {"", "limitations"}
    ca.pull(uk)
    uk.node.set_policy(OPEN)
    ca.pull(uk)
    assert sections(uk, ca, record.record_id) == WHOLE
    assert {name for _, name in ca.held()} == WHOLE


def test_a_section_stricter_than_its_record_stays_while_the_header_goes(
    trio: list[Institute],
) -> None:
    uk, ca, jp = trio
    strict = {"risks": {"tlp": "AMBER", "releasableTo": [JP]}}
    record = uk.publish(card(section_handling=strict))
    assert sections(uk, ca, record.record_id) == {"", "limitations"}
    assert sections(uk, jp, record.record_id) == WHOLE


def test_a_header_that_is_withheld_keeps_its_sections(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy("""
        @id("all") permit (principal, action, resource);
        @id("no-headers") forbid (principal, action, resource) when { resource.section == "" };
    """)
    uk.publish(card())
    assert uk.released(ca) == []


def test_an_empty_list_means_nobody(trio: list[Institute]) -> None:
    uk, ca, jp = trio
    uk.publish(card(tlp="CLEAR", releasable_to=[]))
    uk.publish(card(tlp="AMBER"))
    assert uk.released(ca) == uk.released(jp) == []


def test_a_suspended_peer_gets_nothing_and_after_it_resumes_everything(
    trio: list[Institute],
) -> None:
    uk, ca, jp = trio
    uk.node.set_peer_status(CA, PeerStatus.SUSPENDED)
    uk.publish(card())
    assert (headers(uk, ca), headers(uk, jp)) == (0, 1)
    uk.node.set_peer_status(CA, PeerStatus.MEMBER)
    assert headers(uk, ca) == 1


def test_a_peer_on_probation_gets_what_is_public(trio: list[Institute]) -> None:
    uk, ca, _ = trio
    uk.node.set_peer_status(CA, PeerStatus.PROBATION)
    uk.publish(card(tlp="GREEN"))
    public = uk.publish(card(tlp="CLEAR"))
    assert {i for i, _ in uk.released(ca)} == {public.record_id}


def test_a_new_peer_gets_the_backlog(
    tmp_path: Path, clock: HandClock, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, clock, new_database, UK, policy=OPEN) as [uk]:
        for _ in range(3):
            uk.publish(card())
        with institutes(tmp_path, clock, new_database, CA) as [ca]:
            befriend(uk, ca)
            befriend(ca, uk)
            ca.pull(uk)
            assert len(ca.held()) == 9


def test_a_removed_peer_that_is_added_again_continues_where_it_was(
    trio: list[Institute],
) -> None:
    uk, ca, _ = trio
    uk.publish(card())
    ca.pull(uk)
    uk.node.set_peer_status(CA, PeerStatus.REMOVED)
    uk.publish(card())
    assert headers(uk, ca) == 1
    befriend(uk, ca)
    [row] = uk.rows(PeerRow, institute=CA)
    assert (row.receipted, row.offered) == (3, 6)
    assert ca.pull(uk) == 1
    assert len(ca.held()) == 6


def test_offer_numbers_have_no_gaps(trio: list[Institute], clock: HandClock) -> None:
    uk, _, _ = trio
    for turn in range(6):
        uk.publish(card(handling={"embargo": clock.in_seconds(100 * (turn % 3))}))
        uk.node.set_policy((NO_RISKS, CARDS_ONLY, OPEN)[turn % 3])
        clock.turn(60)
    clock.turn(200)
    uk.node.release()
    for peer in (CA, JP):
        numbers = sorted(row.offer_number for row in uk.rows(ReleaseRow, peer=peer))
        assert numbers == list(range(1, 19))


def test_a_release_names_the_policy_and_the_rules_that_allowed_it(
    fresh_pair: list[Institute],
) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(CARDS_ONLY)
    digest = uk.policy_digest()
    uk.publish(card())
    uk.node.set_policy(OPEN)
    uk.publish(card())
    rulings = {row.ruling_id: row for row in uk.rows(RulingRow)}
    found = [rulings[row.ruling_id] for row in uk.rows(ReleaseRow, peer=ca.name)]
    named = [(ruling.policy_digest, ruling.rules) for ruling in found]
    assert named == [(digest, ["cards"])] * 3 + [(uk.policy_digest(), ["open-members"])] * 3


def test_a_policy_that_is_set_again_is_another_version_and_releases_name_it(
    fresh_pair: list[Institute],
) -> None:
    uk, ca = fresh_pair
    for policy in (OPEN, NO_RISKS, OPEN):
        uk.node.set_policy(policy)
        uk.publish(card())
    assert versions(uk, ca) == [1] * 3 + [2] * 2 + [3] * 4
    named = {row.policy_version: row.policy_digest for row in uk.rows(RulingRow)}
    assert named[1] == named[3] == uk.policy_digest() != named[2]


def test_releases_name_the_version_in_force_also_to_who_was_away_while_it_changed(
    fresh_pair: list[Institute],
) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(OPEN)
    uk.publish(guidance())
    uk.node.set_peer_status(CA, PeerStatus.REMOVED)
    uk.node.set_policy(CARDS_ONLY)
    uk.node.set_policy(OPEN)
    uk.publish(guidance())
    befriend(uk, ca)
    uk.publish(guidance())
    assert versions(uk, ca) == [1] * 2 + [3] * 4


def test_nothing_is_given_back_to_the_issuer_or_the_origin(trio: list[Institute]) -> None:
    uk, ca, jp = trio
    uk.publish(card(tlp="CLEAR", handling={"onward": True}))
    ca.pull(uk)
    ca.node.release()
    jp.pull(ca)
    jp.node.release()
    assert (headers(ca, uk), headers(ca, jp)) == (0, 1)
    assert (headers(jp, uk), headers(jp, ca)) == (0, 0)
