"""What was given counts once, from when it is sure to reach the peer, through crash and embargo."""

from __future__ import annotations

import pytest

from comity.node.policy.standing.rule import standing_rows
from comity.node.policy.versions import set_policy
from comity.policies.preset import load_preset
from comity.record.kind import Kind
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute
from tests.support.standing import received, row, seen

UK, CA = "uk.aisi.example", "ca.aisi.example"
BALANCED = load_preset("balanced")
CARD = Kind.MODEL_CARD


def test_given_is_pending_until_the_peer_signs_and_policy_counts_both(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    uk.publish(card("one"))
    assert (row(uk, ca).given, row(uk, ca).pending, seen(uk, ca).given) == (0, 1, {CARD: 1})
    ca.pull(uk)
    assert (row(uk, ca).given, row(uk, ca).pending, seen(uk, ca).given) == (1, 0, {CARD: 1})


def stop_after_release(one: Institute, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an institute's node be killed once it has released something, before it counts it."""

    def killed(*_: object) -> int:
        raise InterruptedError

    monkeypatch.setattr("comity.node.release.schedule.MAX_AT_ONCE", 1)
    with monkeypatch.context() as patch:
        patch.setattr("comity.node.release.schedule.count_given", killed)
        with pytest.raises(InterruptedError):
            one.publish(card("one"))


def test_what_was_released_before_a_crash_is_counted_after_it(
    pair: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, ca = pair
    stop_after_release(uk, monkeypatch)
    assert len(uk.released(ca)) == 3
    assert seen(uk, ca).given == {CARD: 1}


def test_commands_beside_a_node_that_was_killed_see_what_it_released(
    pair: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, _ = pair
    stop_after_release(uk, monkeypatch)
    uk.node.update_standing()
    with uk.node.store.read() as session:
        [counted] = [r for r in standing_rows(session, CA) if r.kind == CARD]
    assert (counted.given, counted.pending) == (0, 1)


def test_a_receipt_for_what_was_not_counted_yet_counts_it_as_given(
    pair: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, ca = pair
    stop_after_release(uk, monkeypatch)
    ca.pull(uk)
    with uk.node.store.read() as session:
        [counted] = [r for r in standing_rows(session, CA) if r.kind == CARD]
    assert (counted.given, counted.pending) == (1, 0)


def test_a_policy_that_asks_for_what_was_given_waits_for_the_count(
    pair: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, ca = pair
    uk.node.publish_all([uk.sign(card(f"model-{number}")) for number in range(19)])
    stop_after_release(uk, monkeypatch)
    late = uk.node.examiner.examine(uk.sign(card("one too many")), UK, uk.node.keyring())
    with uk.node.store.write() as session:
        set_policy(session, BALANCED, uk.node.clock())
        uk.node.intake.admit(session, [late])
    uk.node.release()
    assert seen(uk, ca).given == {CARD: 20}


def test_a_peer_that_is_down_is_not_given_ahead(pair: list[Institute]) -> None:
    uk, ca = pair
    uk.node.set_policy(BALANCED)
    uk.node.publish_all([uk.sign(card(f"model-{number}")) for number in range(30)])
    assert (row(uk, ca).given, row(uk, ca).pending) == (0, 20)


def test_versions_of_what_was_given_do_not_use_standing_up_twice(pair: list[Institute]) -> None:
    uk, ca = pair
    uk.node.set_policy(BALANCED)
    first = [uk.publish(card(f"model-{number}")) for number in range(19)]
    for number, record in enumerate(first):
        uk.publish(card(f"model-{number}", supersedes=record.record_id))
    assert seen(uk, ca).given == {CARD: 19}
    assert len({record_id for record_id, _ in uk.released(ca)}) == 38


def test_newer_versions_free_nothing_that_the_first_has_used_up(pair: list[Institute]) -> None:
    uk, ca = pair
    uk.node.set_policy(BALANCED)
    first = [uk.publish(card(f"model-{number}")) for number in range(24)]
    for number, record in enumerate(first[:4]):
        uk.publish(card(f"model-{number}", supersedes=record.record_id))
    ca.pull(uk)
    assert seen(uk, ca).given == {CARD: 20}
    assert received(ca, uk) == 20


def test_sections_under_embargo_count_with_their_header(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    uk.node.set_policy(BALANCED)
    later = {"embargo": clock.in_seconds(60)}
    handling = {"limitations": later, "risks": later}
    for number in range(30):
        uk.publish(card(f"model-{number}", section_handling=handling))
    assert [name for _, name in uk.released(ca)] == [""] * 20
    assert seen(uk, ca).given == {CARD: 20}
    clock.turn(60)
    uk.node.release()
    assert len(uk.released(ca)) == 60
    assert seen(uk, ca).given == {CARD: 20}


def test_records_that_went_without_their_sections_do_not_hold_back_the_rest(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    uk.node.set_policy(
        BALANCED + '@id("headers") forbid (principal, action, resource)'
        'when { resource.section != "" && resource.tags.contains("bare") };'
    )
    bare = [uk.sign(card(f"bare-{number}", tags=["bare"])) for number in range(30)]
    uk.node.publish_all(bare)
    while uk.node.release():
        pass
    assert sum(name == "" for _, name in uk.released(ca)) == 30
    assert seen(uk, ca).given == {}
