"""The sample cards of the demo: real models, own words, varied handling."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from comity.record.handling import Handling, Tlp
from comity.record.keys import SigningKey
from comity.record.spiffe import Role, SpiffeId
from demo.cards import FOLDER, Card, load_cards
from demo.institutes import INSTITUTES

CARDS = load_cards()
IDS = {institute.id for institute in INSTITUTES}


def _handlings(card: Card) -> list[Handling]:
    own = [card.draft.handling_of(name) for name in card.draft.section_handling]
    return [card.draft.handling, *(h for h in own if h)]


def test_there_are_at_least_24_cards_and_every_institute_writes_some() -> None:
    assert len(CARDS) >= 24
    assert {card.issuer for card in CARDS} == IDS


def test_no_card_lies_in_a_folder_that_no_institute_reads() -> None:
    assert len(CARDS) == len(list(FOLDER.rglob("*.yaml")))


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_card_says_that_it_is_a_sample_and_can_be_signed(
    card: Card, signing_key: SigningKey
) -> None:
    assert "Sample card" in card.draft.summary["en"]
    assert set(card.draft.title) == set(card.draft.summary)
    record = card.draft.sign(SpiffeId(card.issuer, Role.NODE), signing_key)
    assert len(record.disclosures) == len(card.draft.sections)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_card_names_its_source_with_a_digest(card: Card) -> None:
    for source in card.draft.sections["sources"]:
        assert source["url"].startswith("https://github.com/")
        assert len(source["sha256"]) == 64


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_card_is_releasable_only_to_other_institutes_of_the_network(card: Card) -> None:
    for handling in _handlings(card):
        assert set(handling.releasable_to or ()) <= IDS - {card.issuer}


def test_handling_varies_in_every_dimension() -> None:
    records = [card.draft.handling for card in CARDS]
    handlings = [handling for card in CARDS for handling in _handlings(card)]
    now = datetime.now(UTC)
    assert {handling.tlp for handling in handlings} == set(Tlp)
    assert any(handling.releasable_to == () for handling in records)
    assert any(handling.onward for handling in records)
    assert any(handling.purposes for handling in handlings)
    assert any(handling.embargo and handling.embargo > now for handling in records)
    assert any(handling.embargo and handling.embargo < now for handling in records)
    assert any(card.draft.section_handling for card in CARDS)


def test_four_institutes_write_about_the_same_model() -> None:
    by_model: dict[str, set[str]] = {}
    for card in CARDS:
        by_model.setdefault(card.draft.subject.name, set()).add(card.issuer)
    assert max(map(len, by_model.values())) >= 4
