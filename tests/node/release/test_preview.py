"""Preview: what another policy would do, told before it is in force, is what it then does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.client.drafts.draft import Draft
from comity.node.database.tables import DecisionRow, PolicyVersionRow, ReleaseRow, RulingRow
from comity.node.release.preview import Effect
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset, preset_names
from comity.record.kind import Kind
from tests.support.databases import NewDatabase
from tests.support.drafts import card, guidance
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.releases import (
    BALANCED,
    CARDS_ONLY,
    NO_RISKS,
    OPEN,
    counted,
    headers,
    preview,
    release_all,
    treaty,
)

UK, CA, JP = "uk.aisi.example", "ca.aisi.example", "jp.aisi.example"
NOTHING = "// nothing is permitted\n"
POLICIES = [*map(load_preset, preset_names()), CARDS_ONLY, NO_RISKS, NOTHING]


@pytest.fixture
def trio(tmp_path: Path, clock: HandClock, new_database: NewDatabase) -> Iterator[list[Institute]]:
    """Yield uk, ca and jp, who are each other's members."""
    with institutes(tmp_path, clock, new_database, UK, CA, JP) as made:
        yield made


def any_draft(dice: random.Random, number: int, clock: HandClock) -> Draft:
    """Return a draft of some kind, label, tags and embargo."""
    if dice.random() < 0.3:
        return guidance(f"How to test {number}")
    handling = {"embargo": clock.in_seconds(600)} if dice.random() < 0.2 else {}
    strict = {"risks": {"tlp": "AMBER", "releasableTo": [JP]}} if dice.random() < 0.3 else None
    return card(
        f"model-{number}",
        tlp=dice.choice(["CLEAR", "GREEN"]),
        tags=dice.choice([[], ["cbrn"]]),
        section_handling=strict,
        handling=handling,
    )


@pytest.mark.parametrize("seed", range(3))
def test_what_is_said_to_be_gained_is_what_is_released(
    trio: list[Institute], clock: HandClock, seed: int
) -> None:
    uk, ca, jp = trio
    dice = random.Random(seed)
    ca.node.set_policy(OPEN)
    uk.node.add_treaty(treaty(clock, sections=["risks"]))
    for step in range(10):
        drafts = [any_draft(dice, 100 * step + n, clock) for n in range(12)]
        uk.node.publish_all([uk.sign(draft) for draft in drafts])
        if dice.random() < 0.5:
            ca.publish(any_draft(dice, 10_000 + step, clock))
            uk.pull(ca)
        uk.node.set_peer_status(JP, dice.choice([PeerStatus.PROBATION, PeerStatus.MEMBER]))
        release_all(uk)
        before = {peer: uk.released(peer) for peer in (ca, jp)}
        text = dice.choice(POLICIES)
        said = preview(uk, text)
        uk.node.set_policy(text)
        for peer in (ca, jp):
            fresh = uk.released(peer)[len(before[peer]) :]
            told = counted(said[peer.name], Effect.GAINED)[:2]
            assert told == (len(fresh), sum(not section for _, section in fresh)), text


def test_preview_changes_nothing(trio: list[Institute]) -> None:
    uk, _, _ = trio
    uk.node.set_policy(CARDS_ONLY)
    uk.publish(guidance())
    uk.publish(card())
    tables = (ReleaseRow, RulingRow, DecisionRow, PolicyVersionRow)
    before = [[row.model_dump() for row in uk.rows(table)] for table in tables]
    for text in POLICIES:
        preview(uk, text)
    assert [[row.model_dump() for row in uk.rows(table)] for table in tables] == before


def test_the_policy_in_force_makes_no_difference(trio: list[Institute], clock: HandClock) -> None:
    uk, ca, _ = trio
    ca.node.set_policy(OPEN)
    for text in POLICIES:
        uk.node.set_policy(text)
        uk.node.publish_all([uk.sign(card(f"model-{n}")) for n in range(25)])
        uk.publish(card("secret", handling={"embargo": clock.in_seconds(600)}))
        release_all(uk)
        assert preview(uk, text) == {CA: [], JP: []}, text


def test_gain_names_kind_rules_and_what_decided_before(trio: list[Institute]) -> None:
    uk, _, _ = trio
    uk.node.set_policy(CARDS_ONLY)
    uk.publish(card())
    uk.publish(guidance())
    [one] = preview(uk, OPEN)[CA]
    assert (one.kind, one.effect, one.parts, one.records) == (Kind.GUIDANCE, Effect.GAINED, 2, 1)
    assert (one.decision.rules, one.before.rules) == (("open-members",), ())


def test_what_is_allowed_and_not_yet_given_would_be_withheld(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, _, _ = trio
    uk.node.set_policy(OPEN)
    uk.publish(card(handling={"embargo": clock.in_seconds(600)}))
    found = preview(uk, NOTHING)[CA]
    assert counted(found, Effect.WITHHELD) == (0, 0, 3)
    assert counted(found, Effect.GONE) == (0, 0, 0)
    assert counted(preview(uk, NO_RISKS)[CA], Effect.WITHHELD) == (0, 0, 1)


def test_what_is_out_already_is_told_apart(trio: list[Institute]) -> None:
    uk, _, _ = trio
    uk.node.set_policy(OPEN)
    uk.publish(card())
    uk.publish(guidance())
    found = preview(uk, CARDS_ONLY)[CA]
    assert counted(found, Effect.GONE) == (2, 1, 0)
    assert counted(found, Effect.WITHHELD) == counted(found, Effect.GAINED) == (0, 0, 0)
    [gone] = [one for one in found if one.effect is Effect.GONE]
    assert (gone.kind, gone.before.rules) == (Kind.GUIDANCE, ("open-members",))


def test_an_embargo_makes_a_gain_come_later(trio: list[Institute], clock: HandClock) -> None:
    uk, _, _ = trio
    uk.publish(card(handling={"embargo": clock.in_seconds(600)}))
    uk.publish(card("another"))
    assert counted(preview(uk, OPEN)[CA], Effect.GAINED) == (3, 1, 3)


def test_standing_limits_what_is_gained_and_what_it_used_up_is_not_called_forbidden(
    trio: list[Institute],
) -> None:
    uk, ca, _ = trio
    uk.node.publish_all([uk.sign(card(f"model-{n}")) for n in range(30)])
    assert counted(preview(uk, BALANCED)[CA], Effect.GAINED) == (60, 20, 30)
    uk.node.set_policy(BALANCED)
    assert headers(uk, ca) == 20
    assert counted(preview(uk, OPEN)[CA], Effect.GAINED) == (30, 10, 0)
    found = preview(uk, NOTHING)[CA]
    assert counted(found, Effect.GONE) == (60, 20, 0)
    assert all("given 20" in gone.decision.message for gone in found)


def test_a_suspended_peer_gains_nothing(trio: list[Institute]) -> None:
    uk, _, _ = trio
    uk.publish(card())
    uk.node.set_peer_status(CA, PeerStatus.SUSPENDED)
    found = preview(uk, OPEN)
    assert found[CA] == []
    assert counted(found[JP], Effect.GAINED) == (3, 1, 0)
