"""Compares what the nodes say with what must come of it, and names every difference.

Invariants: an empty list means that nothing was found amiss in anything that was looked at;
``checked`` says how many statements that were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from demo import terms
from demo.expectation import (
    HEADER,
    PLENTY,
    Expectation,
    Pair,
    Piece,
    counts_gifts,
    most,
    withheld_by,
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What the nodes say of themselves.

    ``holdings``: parts that each node holds. ``releases``: parts that its ledger says were given,
    by pair. ``reasons`` and ``messages``: by which rules a node withholds a part of its own card,
    and how it puts that, by pair and part. ``unsigned``: parts given that the receiver has not
    signed for, by pair. ``refused``: records that a node has in quarantine.
    """

    holdings: dict[str, set[Piece]]
    releases: dict[Pair, set[Piece]]
    reasons: dict[tuple[Pair, Piece], frozenset[str]]
    messages: dict[tuple[Pair, Piece], str]
    unsigned: dict[Pair, int]
    refused: dict[str, int]

    def gifts(self) -> dict[Pair, set[str]]:
        """Return the issuers' own cards that were given, by pair."""
        return {
            pair: {n for n, s in pieces if s == HEADER and n.partition("/")[0] == _short(pair[0])}
            for pair, pieces in self.releases.items()
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """The differences found, each a sentence, and how many statements were compared."""

    differences: list[str]
    checked: int

    @classmethod
    def of(cls, results: Iterable[str]) -> Outcome:
        """Count statements, each empty where it holds and else the difference."""
        told = list(results)
        return cls([result for result in told if result], len(told))

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(self.differences + other.differences, self.checked + other.checked)


def compare(expected: Expectation, observed: Observed) -> Outcome:
    """Compare; ``expected`` was made with the observed gifts."""
    return Outcome.of(
        [
            *_holdings(expected, observed),
            *_own_cards(expected, observed),
            *_relayed(expected, observed),
            *_counting(expected, observed),
            *_receipts(observed),
        ]
    )


def _holdings(expected: Expectation, observed: Observed) -> Iterator[str]:
    for institute in terms.IDS:
        must, does = expected.holdings[institute], observed.holdings[institute]
        for piece in expected.parts:
            if piece in does - must:
                yield f"{institute} holds {_said(piece)} and must not"
            elif piece in must - does:
                yield f"{institute} must hold {_said(piece)} and does not"
            else:
                yield ""


def _own_cards(expected: Expectation, observed: Observed) -> Iterator[str]:
    for (pair, piece), rules in observed.reasons.items():
        what = f"{_said(piece)} to {pair[1]}"
        given = piece in observed.releases.get(pair, ())
        if given != expected.gives(pair, piece):
            yield f"{pair[0]} {'gave' if given else 'did not give'} {what}"
        elif not given and rules != expected.reasons(pair, piece):
            wanted = ", ".join(sorted(expected.reasons(pair, piece)))
            yield f"{pair[0]} withheld {what} by {', '.join(sorted(rules))}, expected {wanted}"
        else:
            yield ""


def _relayed(expected: Expectation, observed: Observed) -> Iterator[str]:
    for pair, pieces in observed.releases.items():
        for piece in pieces:
            fine = expected.gives(pair, piece)
            yield "" if fine else f"{pair[0]} gave {_said(piece)} to {pair[1]} and must not have"


def _counting(expected: Expectation, observed: Observed) -> Iterator[str]:
    gifts = observed.gifts()
    for pair in ((a, b) for a in terms.IDS for b in terms.IDS if a != b and counts_gifts(a)):
        wanted = sum(
            not withheld_by(pair, part, expected.now, PLENTY)
            for (_, section), part in expected.parts.items()
            if section == HEADER and part.card.issuer == pair[0]
        )
        counts = expected.counts(pair)
        must, did = most(pair[0], wanted, counts.received), len(gifts.get(pair, ()))
        received = f"having received {counts.received}"
        fine = did == must
        yield "" if fine else f"{pair[0]} gave {pair[1]} {did} cards, {received}; expected {must}"


def _receipts(observed: Observed) -> Iterator[str]:
    for (giver, receiver), count in observed.unsigned.items():
        yield f"{receiver} has not signed for {count} parts from {giver}" if count else ""
    for institute, count in observed.refused.items():
        yield f"{institute} has refused {count} records" if count else ""


def _short(institute: str) -> str:
    return institute.partition(".")[0]


def _said(piece: Piece) -> str:
    name, section = piece
    return f"{section or 'the header'} of {name}"
