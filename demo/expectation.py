"""What must come of it: who may hold which part, worked out from handling and terms alone.

Written a second time, in plain Python, and on purpose without the policy engine or the node: two
accounts of the same rules that agree are worth more than one. Invariants: nothing here asks a node
anything; only where a policy counts gifts, so that the order of events matters, are the ledger's
own facts taken as given (``gifts``), and then the counts themselves are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from comity.policies.facts import PeerStatus
from comity.record.handling import Handling, Tlp
from demo import terms
from demo.cards import Card

HEADER: Final = ""
EMBARGO: Final = "embargo"
UNPERMITTED: Final = "no rule permits"

Piece = tuple[str, str]
"""A card's name and a section's; HEADER for the card's header."""

Pair = tuple[str, str]
"""Who gives and who is given."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a card, and the handling that binds it."""

    card: Card
    section: str
    handling: Handling

    @property
    def piece(self) -> Piece:
        """Name of the card and of the section."""
        return self.card.name, self.section


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records a giver has given a receiver, and has from it."""

    given: int
    received: int


def parts_of(card: Card) -> list[Part]:
    """Return a card's header and its sections."""
    draft = card.draft
    sections = [
        Part(card, name, draft.handling_of(name) or draft.handling) for name in draft.sections
    ]
    return [Part(card, HEADER, draft.handling), *sections]


_COUNTING: Final[dict[str, tuple[str, Callable[[Counts], bool]]]] = {
    "balanced": ("balanced-ratio", lambda c: c.given < 1.25 * c.received + 20),
    "jp": ("jp-one-for-one", lambda c: c.given < c.received),
}
"""Policies that count: the rule, and whether it lets one more record go."""


PLENTY: Final = Counts(0, 1)
"""Counts under which every counting policy lets the next record go."""


def counts_gifts(institute: str) -> bool:
    """Whether an institute's policy makes the order of events matter."""
    return terms.policy_name(institute) in _COUNTING


def most(giver: str, wanted: int, received: int) -> int:
    """Return how many of ``wanted`` records a counting policy lets go for ``received``."""
    _, lets_go = _COUNTING[terms.policy_name(giver)]
    return next((n for n in range(wanted) if not lets_go(Counts(n, received))), wanted)


def withheld_by(pair: Pair, part: Part, now: datetime, counts: Counts) -> frozenset[str]:
    """Return what keeps the giver from giving the part now; empty if nothing does.

    Every rule that forbids is named; a section with no such rule is withheld with its header.
    """
    if part.handling.embargo and part.handling.embargo > now:
        return frozenset({EMBARGO})
    rules = _forbidding(pair, part) | _counting(pair, part, counts)
    if rules:
        return rules
    if not _permitted(pair, part):
        return frozenset({UNPERMITTED})
    if part.section == HEADER:
        return frozenset()
    header = Part(part.card, HEADER, part.card.draft.handling)
    return withheld_by(pair, header, now, counts)


def _forbidding(pair: Pair, part: Part) -> frozenset[str]:
    giver, receiver = pair
    handling, own = part.handling, part.card.issuer == giver
    listed = handling.releasable_to
    status = terms.status(giver, receiver)
    restricted = handling.tlp in (Tlp.RED, Tlp.AMBER_STRICT, Tlp.AMBER)
    bound = set(handling.purposes) & set(terms.purposes(receiver))
    untested = terms.SAFETY_TESTING not in terms.purposes(receiver)
    rules = {
        "baseline-status": status is PeerStatus.SUSPENDED,
        "baseline-issuer": part.card.issuer == receiver,
        "baseline-green": handling.tlp is Tlp.GREEN and status is PeerStatus.PROBATION,
        "baseline-unlisted": restricted and listed is None,
        "baseline-releasable-to": listed is not None and receiver not in listed,
        "baseline-onward": not own and not handling.onward,
        "baseline-purpose": bool(handling.purposes) and not bound,
        "eu-risks-for-testers": (
            terms.policy_name(giver) == "eu" and own and part.section == "risks" and untested
        ),
    }
    return frozenset(rule for rule, applies in rules.items() if applies)


def _counting(pair: Pair, part: Part, counts: Counts) -> frozenset[str]:
    giver, _ = pair
    if not counts_gifts(giver) or part.card.issuer != giver or part.section != HEADER:
        return frozenset()
    rule, lets_go = _COUNTING[terms.policy_name(giver)]
    return frozenset() if lets_go(counts) else frozenset({rule})


def _permitted(pair: Pair, part: Part) -> bool:
    status = terms.status(*pair)
    public = part.handling.tlp is Tlp.CLEAR and terms.policy_name(pair[0]) != "jp"
    return status is PeerStatus.MEMBER or (status is PeerStatus.PROBATION and public)


class Expectation:
    """What must hold once everything has been delivered.

    ``gifts`` says, for pairs whose giver's policy counts, which of its own cards were given.
    """

    def __init__(
        self, cards: tuple[Card, ...], now: datetime, gifts: Mapping[Pair, Set[str]]
    ) -> None:
        self.cards = {card.name: card for card in cards}
        self.parts = {part.piece: part for card in cards for part in parts_of(card)}
        self.now = now
        self._gifts = gifts
        self.holdings = self._spread()

    def gives(self, pair: Pair, piece: Piece) -> bool:
        """Whether the giver, holding the part, gives it to the receiver."""
        part, (giver, _) = self.parts[piece], pair
        chosen = counts_gifts(giver) and part.card.issuer == giver
        if chosen and part.card.name not in self._gifts.get(pair, ()):
            return False
        return not withheld_by(pair, part, self.now, PLENTY)

    def counts(self, pair: Pair) -> Counts:
        """Return what a counting policy goes by, at the end."""
        giver, receiver = pair
        received = {n for n, s in self.holdings[giver] if self.cards[n].issuer == receiver}
        return Counts(len(self._gifts.get(pair, ())), len(received))

    def reasons(self, pair: Pair, piece: Piece) -> frozenset[str]:
        """Return what keeps the part from the receiver now."""
        return withheld_by(pair, self.parts[piece], self.now, self.counts(pair))

    def _spread(self) -> dict[str, set[Piece]]:
        held = {
            institute: {
                piece for piece, part in self.parts.items() if part.card.issuer == institute
            }
            for institute in terms.IDS
        }
        pairs = [(a, b) for a in terms.IDS for b in terms.IDS if a != b]
        grown = True
        while grown:
            before = sum(map(len, held.values()))
            for giver, receiver in pairs:
                new = held[giver] - held[receiver]
                held[receiver] |= {p for p in new if self.gives((giver, receiver), p)}
            grown = sum(map(len, held.values())) > before
        return held
