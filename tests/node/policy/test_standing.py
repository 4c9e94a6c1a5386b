"""Standing counts what the rule says, incrementally, and as a recount of the ledger would."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.node.database.tables import QuarantineRow, RecordRow
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.node.policy.standing.rule import standing_rows
from comity.policies.preset import load_preset
from comity.record.errors import BadSignature, UnknownKey
from comity.record.kind import Kind
from comity.record.limits import Limit
from tests.support.databases import NewDatabase
from tests.support.drafts import FORGETS, card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.standing import HEADERS_ONLY, received, refuse, row, seen, thin

UK, CA = "uk.aisi.example", "ca.aisi.example"
OPEN, BALANCED = load_preset("open"), load_preset("balanced")
CARD, EVALUATION = Kind.MODEL_CARD, Kind.EVALUATION
DAY = 86_400


def test_a_subject_counts_once_however_many_records_are_about_it(pair: list[Institute]) -> None:
    uk, ca = pair
    for _ in range(3):
        ca.publish(card("one"))
    ca.publish(card("two"))
    uk.pull(ca)
    assert received(uk, ca) == 2
    assert len(uk.rows(RecordRow)) == 4


def test_each_kind_counts_by_itself(pair: list[Institute]) -> None:
    uk, ca = pair
    ca.publish(card("one"))
    ca.publish(card("one", kind="evaluation"))
    uk.pull(ca)
    assert (received(uk, ca), received(uk, ca, EVALUATION)) == (1, 1)


def test_a_flood_of_near_empty_cards_buys_nothing(pair: list[Institute]) -> None:
    uk, ca = pair
    ca.node.publish_all([ca.sign(thin(f"model-{number}")) for number in range(50)])
    uk.pull(ca)
    assert len(uk.rows(RecordRow)) == 50
    assert seen(uk, ca).received == {}


def test_a_section_that_only_names_sources_adds_no_substance(pair: list[Institute]) -> None:
    uk, ca = pair
    source = {"name": "Model card", "excerpts": [{"heading": "A", "line": 1, "text": FORGETS}]}
    ca.publish(card("one", sections={"sources": [source]}))
    uk.pull(ca)
    assert received(uk, ca) == 0


def test_withheld_sections_count_once_they_are_disclosed(pair: list[Institute]) -> None:
    uk, ca = pair
    ca.node.set_policy(HEADERS_ONLY)
    ca.publish(card("one"))
    uk.pull(ca)
    assert (received(uk, ca), seen(ca, uk).given) == (0, {})
    ca.node.set_policy(OPEN)
    assert seen(ca, uk).given == {CARD: 1}
    uk.pull(ca)
    assert received(uk, ca) == 1


def test_a_new_version_counts_in_the_place_of_the_old_one(pair: list[Institute]) -> None:
    uk, ca = pair
    first = ca.publish(card("one"))
    uk.pull(ca)
    second = ca.publish(card("one", supersedes=first.record_id))
    uk.pull(ca)
    assert (received(uk, ca), seen(ca, uk).given) == (1, {CARD: 1})
    ca.publish(card("other", supersedes=second.record_id, sections={"uses": {}}))
    uk.pull(ca)
    assert received(uk, ca) == 0


def test_both_sides_count_the_same_once_receipts_are_exchanged(pair: list[Institute]) -> None:
    uk, ca = pair
    for number in range(3):
        uk.publish(card(f"model-{number % 2}"))
    uk.publish(thin("other"))
    ca.pull(uk)
    assert row(uk, ca).given == row(ca, uk).received == 2


def test_cards_of_one_name_count_once_whatever_their_digests(pair: list[Institute]) -> None:
    uk, ca = pair
    name = "pkg:generic/openai/gpt-4o@2024-08-06"
    for digit in "123":
        ca.publish(card(subject={"name": name, "digest": digit * 64}))
    ca.publish(card(subject={"name": "pkg:generic/other/name@1", "digest": "1" * 64}))
    uk.pull(ca)
    assert received(uk, ca) == 1


def test_a_name_of_any_length_and_letters_names_a_subject(pair: list[Institute]) -> None:
    uk, ca = pair
    # more than fits into an index, longer in lower case, and nothing that could be compressed
    name = "İ" + "".join(chr(0x10000 + 7919 * n % 50_000) for n in range(1023))
    ca.publish(card(subject={"name": name, "digest": "1" * 64}))
    ca.publish(card(subject={"name": name, "digest": "2" * 64}))
    uk.pull(ca)
    assert received(uk, ca) == 1


def test_white_space_adds_no_substance(pair: list[Institute]) -> None:
    uk, ca = pair
    ca.publish(card("one", sections={"limitations": [{"statement": f"Some.{' ' * 300}Thing."}]}))
    uk.pull(ca)
    assert received(uk, ca) == 0


def test_records_of_unknown_keys_push_out_nothing_that_was_refused(
    pair: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, ca = pair
    monkeypatch.setattr("comity.node.records.quarantine.MAX_ENTRIES", 2)
    # none of them may wait, so all are refused
    none = Limit("MAX_WAITING_RECORDS", 0, "records")
    monkeypatch.setattr("comity.node.records.quarantine.MAX_WAITING_RECORDS", none)
    refuse(uk, ca, ca.sign(card()).envelope.payload, BadSignature("bad"))
    for number in range(5):
        refuse(uk, ca, b"%d" % number, UnknownKey("not known"))
    assert seen(uk, ca).rejected == {CARD: 1}
    assert len(uk.rows(QuarantineRow)) == 3


def test_what_was_counted_leaves_the_window_and_stays_for_ever(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    ca.publish(card("one"))
    uk.publish(card("two"))
    uk.pull(ca)
    ca.pull(uk)
    clock.turn(364 * DAY)
    ca.publish(card("three"))
    uk.pull(ca)
    assert (received(uk, ca), seen(uk, ca).given[CARD]) == (2, 1)
    clock.turn(DAY)
    standing = seen(uk, ca)
    assert (standing.received[CARD], standing.given[CARD]) == (1, 0)
    assert (standing.received_ever[CARD], standing.given_ever[CARD]) == (2, 1)


def test_the_end_of_the_window_makes_a_peer_due(pair: list[Institute], clock: HandClock) -> None:
    uk, _ = pair
    uk.node.set_policy(BALANCED)
    uk.node.publish_all([uk.sign(card(f"model-{number}")) for number in range(22)])
    assert uk.node.release() == 0
    clock.turn(365 * DAY)
    assert uk.node.release() == 6


def test_a_clock_that_was_set_back_brings_the_window_back(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    ca.publish(card("one"))
    uk.pull(ca)
    clock.turn(400 * DAY)
    assert received(uk, ca) == 0
    clock.turn(-400 * DAY)
    assert received(uk, ca) == 1


def test_what_was_refused_is_counted_by_the_kind_that_it_claims(
    pair: list[Institute], clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, ca = pair
    monkeypatch.setattr("comity.node.records.quarantine.MAX_ENTRIES", 3)
    evaluation = ca.sign(card("one", kind="evaluation")).envelope.payload
    refuse(uk, ca, evaluation, BadSignature("bad"))
    refuse(uk, ca, evaluation, BadSignature("bad again"))
    refuse(uk, ca, b"\xff", BadSignature("bad"))
    refuse(uk, ca, ca.sign(card()).envelope.payload, UnknownKey("not known"))
    assert seen(uk, ca).rejected == {EVALUATION: 1}
    clock.turn(1)
    for number in range(5):
        refuse(uk, ca, b"%d" % number, BadSignature("bad"))
    assert seen(uk, ca).rejected == {EVALUATION: 0}
    with uk.node.store.read() as session:
        [unreadable] = [r for r in standing_rows(session, CA) if not r.kind]
    assert unreadable.rejected == 3


def test_a_kind_earns_credit_for_others_only_where_the_operator_weighs_it(
    tmp_path: Path, clock: HandClock, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, clock, new_database, UK, CA, policy=OPEN) as [uk, ca]:
        ca.publish(card("one"))
        ca.publish(card("one", kind="evaluation"))
        uk.pull(ca)
        assert set(seen(uk, ca).credit.values()) == {0}
        file = uk.node.home.path / "comity.toml"
        file.write_text(file.read_text().replace("# evaluation = 1", "evaluation = 3"))
        weighed = Institute(Node(Home(uk.node.home.path), clock))
        credit = seen(weighed, ca).credit
        weighed.node.close()
        assert (credit[CARD], credit[EVALUATION], credit[Kind.INCIDENT]) == (3, 0, 3)
