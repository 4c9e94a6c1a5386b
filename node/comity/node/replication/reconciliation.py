"""Reconciliation: two institutes' accounts of what one gave the other, compared by receipts.

A receipt is the receiver's signature under what became of a batch. Giver and receiver each hold a
copy of it. If both ledgers are whole, the copies are the same, they cover every offer, and the
records that they list as stored are held (invariant 6).

Invariants: no statement of either side is believed without the other's signature; every signature
is checked here, whichever side handed it over.

Two things look like a loss and are none:

- A receiver that had to start anew has signed for some records twice. A receipt that its giver
  lacks is a difference only if the giver's other receipts do not cover the same records.
- A receiver does not keep a copy of every receipt for nothing new (``MAX_IDLE_RECEIPTS``). A copy
  that it lacks is a difference only if its earlier copies do not list the same records as stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from comity.node.replication.ledger import Given, Taken
from comity.record.envelope import Envelope
from comity.record.errors import BadReceipt, InvalidInput
from comity.record.receipt import Receipt, open_receipt
from comity.record.record import FindKey
from comity.record.times import format_time


class DifferenceKind(StrEnum):
    """What differs between two accounts."""

    UNSIGNED = "UNSIGNED"
    """Records were offered, and no receipt on either side covers them."""
    NOT_DELIVERED = "NOT_DELIVERED"
    """The receiver signed a receipt that the giver does not hold."""
    NOT_KEPT = "NOT_KEPT"
    """The giver holds a good receipt that the receiver has no copy of."""
    MISMATCH = "MISMATCH"
    """A receipt names other records than the giver says it offered."""
    NOT_HELD = "NOT_HELD"
    """The receiver signed for records as stored and does not hold them now."""
    BAD_RECEIPT = "BAD_RECEIPT"
    """A receipt does not verify, or is between other institutes."""
    REFUSED = "REFUSED"
    """The receiver refused records that it was given, for one reason."""
    WAITING = "WAITING"
    """The receiver keeps records, which it does not accept yet, for one reason."""
    GAP = "GAP"
    """The giver's account skips offers, or lists them twice."""


@dataclass(frozen=True, slots=True)
class LedgerDifference:
    """One difference in what ``giver`` gave ``receiver``, with the receipts that show it."""

    kind: DifferenceKind
    giver: str
    receiver: str
    message: str
    record_ids: tuple[str, ...] = ()
    receipts: tuple[Envelope, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """The result in one direction: how much agrees, every good receipt, and every difference."""

    giver: str
    receiver: str
    agreed_receipts: int
    agreed_records: int
    receipts: tuple[Envelope, ...]
    differences: tuple[LedgerDifference, ...]


def compare_accounts(
    giver: str, receiver: str, given: Sequence[Given], taken: Sequence[Taken], find_key: FindKey
) -> Account:
    """Compare the giver's account with the receiver's; ``find_key`` knows the receiver's keys.

    (1) the giver's offers are numbered without a gap
    (2) each receipt of either side verifies and is between these two institutes
    (3) each receipt of the giver names the records that it offered, and the receiver has a copy
    (4) the giver has each receipt of the receiver, and the receiver holds what it signed for
    (5) each offer is covered by a receipt on one side or the other
    """
    return _Comparison(giver, receiver, find_key).run(given, taken)


class _Comparison:
    """The comparison in one direction. A receipt is known by its payload."""

    def __init__(self, giver: str, receiver: str, find_key: FindKey) -> None:
        self._giver, self._receiver, self._find_key = giver, receiver, find_key
        self._differences: list[LedgerDifference] = []
        self._good: dict[bytes, tuple[Envelope, Receipt]] = {}

    def run(self, given: Sequence[Given], taken: Sequence[Taken]) -> Account:
        """Make every check, in the order of ``compare_accounts``."""
        # (1) the offers are numbered without a gap
        self._check_order(given)

        # (2) each receipt verifies
        held = {
            run.receipt.payload: run for run in given if run.receipt and self._open(run.receipt)
        }
        kept = {item.receipt.payload: item for item in taken if self._open(item.receipt)}

        # (3) the giver's receipts name what was offered, and the receiver has copies
        settled = self._settled(held, kept)
        for payload, run in held.items():
            self._check_run(run, payload, kept=payload in settled)

        # (4) the giver has the receiver's receipts, and the receiver holds what it signed for
        open_runs = [run for run in given if run.receipt is None or run.receipt.payload not in held]
        lost = self._lost(held, kept, open_runs)
        for payload, item in kept.items():
            if payload in lost:
                self._add_undelivered(payload, open_runs)
            if item.missing:
                message = f"{self._receiver} signed for records as stored and does not hold them"
                self._add(DifferenceKind.NOT_HELD, message, item.missing, item.receipt)

        # (5) each offer is covered; a lost receipt covers too, and was counted under (4)
        signed = {i for payload in lost for i in self._good[payload][1].record_ids}
        self._check_unsigned(open_runs, _record_ids(open_runs) - signed)

        agreed = [run for payload, run in held.items() if payload in settled]
        return Account(
            giver=self._giver,
            receiver=self._receiver,
            agreed_receipts=len(agreed),
            agreed_records=len(_record_ids(agreed)),
            receipts=tuple(envelope for envelope, _ in self._good.values()),
            differences=tuple(self._differences),
        )

    def _add(
        self, kind: DifferenceKind, message: str, ids: Iterable[str] = (), *receipts: Envelope
    ) -> None:
        ordered = tuple(sorted(ids))
        difference = LedgerDifference(kind, self._giver, self._receiver, message, ordered, receipts)
        self._differences.append(difference)

    def _check_order(self, given: Sequence[Given]) -> None:
        last = 0
        for run in given:
            if run.first_offer != last + 1 or run.last_offer < run.first_offer:
                message = f"expected offers after {last}, got {run.first_offer} to {run.last_offer}"
                self._add(DifferenceKind.GAP, f"{self._giver}: {message}", run.record_ids)
            last = run.last_offer

    def _open(self, envelope: Envelope) -> bool:
        """Check a receipt and remember it; False, with a difference, if it is no good one."""
        # both sides hold a copy as a rule, and one check is enough for the same bytes
        if (known := self._good.get(envelope.payload)) and known[0] == envelope:
            return True

        try:
            receipt = open_receipt(envelope, self._find_key)
            self._check_parties(receipt)
        except InvalidInput as error:
            self._add(DifferenceKind.BAD_RECEIPT, f"{error.reason}: {error}", (), envelope)
            return False

        self._good.setdefault(envelope.payload, (envelope, receipt))
        return True

    def _check_parties(self, receipt: Receipt) -> None:
        expected, got = (self._giver, self._receiver), (receipt.sender, receipt.receiver)
        if expected != got:
            message = f"expected from {expected[0]} to {expected[1]}, got from {got[0]} to {got[1]}"
            raise BadReceipt(message, field="receipt.sender")

    def _settled(self, held: Iterable[bytes], kept: Iterable[bytes]) -> set[bytes]:
        """Return the giver's receipts of which the receiver has a copy, or needs none."""
        # when each record was first signed for as stored: later times are overwritten by earlier
        first: dict[str, datetime] = {}
        for receipt in sorted((self._good[p][1] for p in kept), key=lambda r: r.time, reverse=True):
            first |= dict.fromkeys(receipt.stored, receipt.time)

        copies = set(kept)
        return {
            payload
            for payload in held
            if payload in copies
            or all(
                record_id in first and first[record_id] <= self._good[payload][1].time
                for record_id in self._good[payload][1].stored
            )
        }

    def _lost(
        self, held: Mapping[bytes, Given], kept: Iterable[bytes], open_runs: Sequence[Given]
    ) -> set[bytes]:
        """Return the receiver's receipts that the giver lacks and needs.

        It needs a receipt if that covers a record in an open run, or one in no other receipt.
        """
        waiting, covered = _record_ids(open_runs), _record_ids(held.values())
        return {
            payload
            for payload in set(kept) - held.keys()
            if waiting.intersection(ids := self._good[payload][1].record_ids)
            or not covered.issuperset(ids)
        }

    def _check_run(self, run: Given, payload: bytes, *, kept: bool) -> None:
        envelope, receipt = self._good[payload]
        if sorted(run.record_ids) != receipt.record_ids:
            message = f"{_offers(run)} of {self._giver} are not what {self._receiver} signed for"
            ids = set(run.record_ids).symmetric_difference(receipt.record_ids)
            self._add(DifferenceKind.MISMATCH, message, ids, envelope)
        if not kept:
            message = f"{self._receiver} has no copy of its receipt for {_offers(run)}"
            self._add(DifferenceKind.NOT_KEPT, message, receipt.record_ids, envelope)

    def _add_undelivered(self, payload: bytes, open_runs: Sequence[Given]) -> None:
        envelope, receipt = self._good[payload]
        message = f"{self._giver} has no receipt that {self._receiver} signed"
        message += f" at {format_time(receipt.time)}"

        ids = set(receipt.record_ids)
        offers = [_offers(run) for run in open_runs if ids.intersection(run.record_ids)]
        if offers:
            message += f", for records among {' and '.join(offers)}"
        self._add(DifferenceKind.NOT_DELIVERED, message, ids, envelope)

    def _check_unsigned(self, runs: Sequence[Given], ids: set[str]) -> None:
        for run in runs:
            if ids.intersection(run.record_ids):
                message = f"{self._receiver} has not signed for {_offers(run)} of {self._giver}"
                self._add(DifferenceKind.UNSIGNED, message, ids.intersection(run.record_ids))


def _record_ids(runs: Iterable[Given]) -> set[str]:
    return {record_id for run in runs for record_id in run.record_ids}


def _offers(run: Given) -> str:
    return f"offers {run.first_offer} to {run.last_offer}"
