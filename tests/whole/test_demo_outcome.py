"""The demo checks its own outcome: as the policy engine would, and with an eye for differences."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest

from comity.policies.evaluator import Policy
from comity.policies.facts import PartFacts, PeerFacts, Standing
from comity.record.kind import Kind
from demo import terms
from demo.cards import load_cards
from demo.expectation import (
    EMBARGO,
    HEADER,
    UNPERMITTED,
    Counts,
    Expectation,
    Pair,
    Part,
    Piece,
    parts_of,
    withheld_by,
)
from demo.outcome import Observed, compare

NOW = datetime(2026, 5, 21, tzinfo=UTC)
AU, EU, FR, IT, JP, KR, UK, US = (
    f"{short}.aisi.example" for short in ("au", "eu", "fr", "it", "jp", "kr", "uk", "us")
)


@cache
def expectation() -> Expectation:
    """Return what is expected where Japan gave everyone both cards that handling lets go."""
    cards = load_cards()
    gifts: dict[Pair, set[str]] = {}
    for card in (card for card in cards if card.issuer in (JP, FR)):
        header = parts_of(card)[0]
        for peer in terms.IDS:
            if peer != card.issuer and not withheld_by(
                (card.issuer, peer), header, NOW, Counts(0, 9)
            ):
                gifts.setdefault((card.issuer, peer), set()).add(card.name)
    return Expectation(cards, NOW, gifts)


def observed() -> Observed:
    """Return what the nodes would say if all went as expected, but for Japan's counting."""
    expected = expectation()
    pairs = [(a, b) for a in terms.IDS for b in terms.IDS if a != b]
    releases: dict[Pair, set[Piece]] = {
        (giver, receiver): {
            piece for piece in expected.holdings[giver] if expected.gives((giver, receiver), piece)
        }
        for giver, receiver in pairs
    }
    reasons = {
        (pair, piece): expected.reasons(pair, piece)
        for pair in pairs
        for piece, part in expected.parts.items()
        if part.card.issuer == pair[0]
    }
    holdings = {institute: set(pieces) for institute, pieces in expected.holdings.items()}
    return Observed(holdings, releases, reasons, {}, {}, {})


def differences(seen: Observed) -> list[str]:
    """Return the differences other than those of Japan, which gave more than it counts."""
    found = compare(expectation(), seen).differences
    return [difference for difference in found if not difference.startswith(JP)]


def facts_of(part: Part, giver: str) -> PartFacts:
    handling, listed = part.handling, part.handling.releasable_to
    return PartFacts(
        kind=Kind.MODEL_CARD,
        issuer=part.card.issuer,
        section=part.section,
        tlp=handling.tlp,
        releasable_to=None if listed is None else frozenset(listed),
        onward=handling.onward,
        purposes=frozenset(handling.purposes),
        tags=frozenset(part.card.draft.tags),
        domains=frozenset(),
        severity=0,
        own=part.card.issuer == giver,
    )


@pytest.mark.parametrize("giver", terms.IDS)
def test_expectation_and_policy_engine_withhold_by_the_same_rules(giver: str) -> None:
    policy = Policy.parse(terms.policy_text(giver))
    counts = Counts(given=1, received=2)
    standing = Standing(received={Kind.MODEL_CARD: 2}, given={Kind.MODEL_CARD: 1})
    parts = [part for part in expectation().parts.values() if part.section in (HEADER, "risks")]
    for receiver in (institute for institute in terms.IDS if institute != giver):
        peer = PeerFacts(
            institute=receiver,
            status=terms.status(giver, receiver),
            purposes=frozenset(terms.purposes(receiver)),
            standing=standing,
        )
        verdicts = policy.decide_many(peer, [facts_of(part, giver) for part in parts])
        by_piece = dict(zip((part.piece for part in parts), verdicts, strict=True))
        for part in parts:
            verdict, header = by_piece[part.piece], by_piece[part.card.name, HEADER]
            deciding = header if verdict.allowed else verdict
            rules = frozenset(deciding.rules) or frozenset({UNPERMITTED})
            reasons = withheld_by((giver, receiver), part, NOW, counts)
            if reasons != {EMBARGO}:
                assert reasons == (frozenset() if deciding.allowed else rules), part.piece


def test_nothing_is_found_where_everything_went_as_it_must() -> None:
    assert differences(observed()) == []


def test_part_that_is_held_and_must_not_be_is_found() -> None:
    seen = observed()
    seen.holdings[AU].add(("us/biomedlm", "risks"))
    assert differences(seen) == [f"{AU} holds risks of us/biomedlm and must not"]


def test_part_that_never_arrived_is_found() -> None:
    seen = observed()
    seen.holdings[IT].remove(("de/olmo-7b", "risks"))
    assert differences(seen) == [f"{IT} must hold risks of de/olmo-7b and does not"]


def test_part_that_was_released_against_its_handling_is_found() -> None:
    seen = observed()
    seen.releases[US, IT].add(("us/phi-3-mini", "risks"))
    assert f"{US} gave risks of us/phi-3-mini to {IT}" in differences(seen)


def test_part_that_was_withheld_by_another_rule_is_found() -> None:
    seen = observed()
    seen.reasons[(KR, AU), ("kr/llama-3.1", HEADER)] = frozenset({"baseline-status"})
    assert differences(seen) == [
        f"{KR} withheld the header of kr/llama-3.1 to {AU} by baseline-status, "
        "expected baseline-green"
    ]


def test_card_that_was_given_beyond_what_a_counting_policy_lets_go_is_found() -> None:
    found = compare(expectation(), observed()).differences
    assert f"{JP} gave {IT} 2 cards, having received 1; expected 1" in found


def test_part_that_nobody_signed_for_and_record_that_was_refused_are_found() -> None:
    seen = observed()
    seen.unsigned[UK, EU] = 3
    seen.refused[EU] = 1
    assert differences(seen) == [
        f"{EU} has not signed for 3 parts from {UK}",
        f"{EU} has refused 1 records",
    ]


def test_amber_record_is_relayed_within_its_list_and_not_beyond() -> None:
    holders = {i for i in terms.IDS if ("it/llama-2-7b-chat", HEADER) in expectation().holdings[i]}
    assert holders == {IT, EU, FR, "de.aisi.example"}


def test_institutes_that_suspended_each_other_get_only_what_others_may_pass_on() -> None:
    from_au = {name for name, _ in expectation().holdings["de.aisi.example"] if name[:2] == "au"}
    assert from_au == {"au/dolly-v2-12b"}
