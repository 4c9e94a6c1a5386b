"""A section follows its header: to who has the header, and whatever the balance has become."""

from __future__ import annotations

from comity.node.database.tables import ReleaseRow
from comity.node.release.preview import Effect
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute
from tests.support.releases import (
    ALLOWANCE_OF_TWO,
    WHOLE,
    counted,
    explained,
    headers,
    preview,
    release_all,
    sections,
)

CA = "ca.aisi.example"
LIKE_FOR_LIKE = load_preset("like-for-like")

NO_RISKS = (
    '@id("no-risks") forbid (principal, action, resource) when { resource.section == "risks" };'
)
DAY = 86_400


def under_embargo(clock: HandClock, name: str, seconds: int = 60) -> dict[str, dict[str, str]]:
    return {name: {"embargo": clock.in_seconds(seconds)}}


def use_balance_up(one: Institute) -> None:
    one.node.publish_all([one.sign(card(f"more-{number}")) for number in range(3)])
    release_all(one)


def test_a_section_under_embargo_follows_though_the_balance_is_used_up(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    record = uk.publish(card(section_handling=under_embargo(clock, "risks")))
    use_balance_up(uk)
    assert (headers(uk, ca), sections(uk, ca, record.record_id)) == (2, {"", "limitations"})
    part = explained(uk, ca, record)["risks"]
    assert part.message.endswith("then: permitted by balanced-members: ca.aisi.example is a member")
    assert part.nearest[0].startswith("would be released when its embargo ends")
    clock.turn(60)
    assert uk.node.release() == 1
    assert sections(uk, ca, record.record_id) == WHOLE
    assert uk.node.release() == 0
    assert explained(uk, ca, record)["risks"].allowed


def test_a_section_that_policy_newly_allows_follows_as_it_was_previewed(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    uk.node.set_policy(ALLOWANCE_OF_TWO + NO_RISKS)
    uk.node.publish_all([uk.sign(card(f"model-{number}")) for number in range(5)])
    release_all(uk)
    assert (headers(uk, ca), len(uk.released(ca))) == (2, 4)
    said = preview(uk, ALLOWANCE_OF_TWO)[CA]
    assert counted(said, Effect.GAINED) == (2, 0, 0)
    assert {one.decision.rules for one in said if one.parts} == {("balanced-members",)}
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    release_all(uk)
    assert (headers(uk, ca), len(uk.released(ca))) == (2, 6)
    assert len({row.ruling_id for row in uk.rows(ReleaseRow, peer=CA)}) == 2


def test_sections_of_a_record_that_was_not_given_wait_with_it(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    use_balance_up(uk)
    record = uk.publish(card(section_handling=under_embargo(clock, "risks")))
    clock.turn(60)
    assert uk.node.release() == 0
    part = explained(uk, ca, record)["limitations"]
    assert not part.allowed
    assert part.message.startswith("its record is withheld: forbidden by balanced-ratio")
    ca.publish(card("theirs"))
    ca.publish(card("theirs too"))
    uk.pull(ca)
    release_all(uk)
    assert sections(uk, ca, record.record_id) == WHOLE


def test_a_section_does_not_follow_to_a_peer_that_is_suspended(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    record = uk.publish(card(section_handling=under_embargo(clock, "risks")))
    use_balance_up(uk)
    uk.node.set_peer_status(CA, PeerStatus.SUSPENDED)
    clock.turn(60)
    assert uk.node.release() == 0
    uk.node.set_peer_status(CA, PeerStatus.MEMBER)
    assert sections(uk, ca, record.record_id) == WHOLE


def test_a_policy_that_weighs_sections_holds_them_back(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    uk.node.set_policy(LIKE_FOR_LIKE)
    ca.publish(card("theirs"))
    uk.pull(ca)
    late = under_embargo(clock, "risks", 400 * DAY)
    record = uk.publish(card(section_handling=late))
    release_all(uk)
    assert sections(uk, ca, record.record_id) == {"", "limitations"}
    clock.turn(400 * DAY)
    assert uk.node.release() == 0
    part = explained(uk, ca, record)["risks"]
    assert (part.allowed, part.nearest) == (
        False,
        (f"would be released after 1 more model card from {CA}",),
    )


def test_what_follows_does_not_come_twice_when_the_balance_grows_as_well(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    drafts = [card(f"late-{n}", section_handling=under_embargo(clock, "risks")) for n in range(4)]
    uk.node.publish_all([uk.sign(draft) for draft in drafts])
    release_all(uk)
    assert headers(uk, ca) == 2
    ca.publish(card("theirs"))
    uk.pull(ca)
    clock.turn(60)
    release_all(uk)
    released = uk.released(ca)
    assert headers(uk, ca) == 4
    assert len(released) == len(set(released)) == 12


def test_a_section_that_no_policy_let_go_with_its_header_follows_as_soon_as_one_does(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    every = '@id("all") permit (principal, action, resource);'
    no_headers = every + (
        '@id("no-headers") forbid (principal, action, resource) when { resource.section == "" };'
    )
    # the header is denied, then the section alone, and then the header again
    uk.node.set_policy(no_headers)
    record = uk.publish(card())
    uk.node.set_policy(every + NO_RISKS)
    assert sections(uk, ca, record.record_id) == WHOLE - {"risks"}
    uk.node.set_policy(no_headers)
    assert sections(uk, ca, record.record_id) == WHOLE
