"""Release waits for the end of an embargo, of a record or of a section."""

from __future__ import annotations

from comity.client.drafts.draft import Draft
from tests.support.drafts import card, guidance
from tests.support.institutes import HandClock, Institute
from tests.support.releases import CARDS_ONLY, OPEN, WHOLE, headers, sections


def test_the_end_of_an_embargo_releases(trio: list[Institute], clock: HandClock) -> None:
    uk, ca, _ = trio
    record = uk.publish(card(handling={"embargo": clock.in_seconds(3600)}))
    clock.turn(3598)
    assert uk.node.release() == 0
    clock.turn(2)
    assert uk.node.release() == 6
    assert sections(uk, ca, record.record_id) == WHOLE
    assert uk.node.release() == 0


def test_a_sections_embargo_holds_back_the_section_alone(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = trio
    embargo = {"risks": {"embargo": clock.in_seconds(60)}}
    record = uk.publish(card(section_handling=embargo))
    assert sections(uk, ca, record.record_id) == {"", "limitations"}
    clock.turn(60)
    uk.node.release()
    assert sections(uk, ca, record.record_id) == WHOLE


def test_an_embargo_that_ends_while_policy_says_no_waits_for_the_policy(
    fresh_pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(CARDS_ONLY)
    draft = guidance().model_dump(mode="json", by_alias=True, exclude_none=True)
    draft["handling"]["embargo"] = clock.in_seconds(60)
    uk.publish(Draft.parse(draft))
    clock.turn(61)
    assert uk.node.release() == 0
    uk.node.set_policy(OPEN)
    assert headers(uk, ca) == 1


def test_a_clock_that_was_set_back_loses_no_embargo(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = trio
    clock.turn(100)
    uk.node.release()
    clock.turn(-100)
    uk.publish(card(handling={"embargo": clock.in_seconds(50)}))
    assert uk.released(ca) == []
    clock.turn(51)
    uk.node.release()
    assert headers(uk, ca) == 1
