"""Reconciliation: two institutes' accounts of what one gave the other, compared by receipts.

A receipt is the receiver's signature under what became of a batch. The giver holds a copy of it,
and so does the receiver: where both ledgers are whole, the copies are the same, they cover every
offer, and what they list as stored is held. Invariants: nothing that either side says is taken for
true without the other's signature; every signature is checked here, whoever handed it over.

A receiver that had to start anew has signed for some records twice; a receipt that its giver does
not hold is a difference only if other receipts do not cover its records. Nor does it keep a copy of
every receipt for nothing new; one that it lacks is a difference only if what that says was stored
is not in copies of earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from comity.node.replication.ledger import Given, Taken
from comity.record.envelope import Envelope
from comity.record.errors import BadReceipt, InvalidInput
from comity.record.receipt import Receipt, open_receipt
from comity.record.record import FindKey
from comity.record.times import format_time


class Finding(StrEnum):
    """What kind of difference it is."""

    UNSIGNED = "UNSIGNED"
    """Offered, and signed for by no receipt on either side."""
    NOT_DELIVERED = "NOT_DELIVERED"
    """The receiver signed, and the giver does not have the receipt."""
    NOT_KEPT = "NOT_KEPT"
    """The giver holds a good receipt of which the receiver has no copy."""
    MISMATCH = "MISMATCH"
    """A receipt names other records than the giver says it offered."""
    NOT_HELD = "NOT_HELD"
    """Signed for as stored, and not held by the receiver now."""
    BAD_RECEIPT = "BAD_RECEIPT"
    """A receipt that does not verify, or is between other institutes."""
    GAP = "GAP"
    """The giver's account skips offers, or tells them twice."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference in what ``giver`` gave ``receiver``, with the receipts that show it."""

    finding: Finding
    giver: str
    receiver: str
    message: str
    record_ids: tuple[str, ...] = ()
    receipts: tuple[Envelope, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """What was compared in one direction: how much agrees, all good receipts, and what differs."""

    giver: str
    receiver: str
    agreed_receipts: int
    agreed_records: int
    receipts: tuple[Envelope, ...]
    differences: tuple[Difference, ...]


def reconcile(
    giver: str, receiver: str, given: Sequence[Given], taken: Sequence[Taken], find_key: FindKey
) -> Account:
    """Compare the giver's account with the receiver's; ``find_key`` knows the receiver's keys."""
    return _Comparison(giver, receiver, find_key).run(given, taken)


class _Comparison:
    """One direction, step by step."""

    def __init__(self, giver: str, receiver: str, find_key: FindKey) -> None:
        self._giver, self._receiver, self._find_key = giver, receiver, find_key
        self._differences: list[Difference] = []
        self._good: dict[bytes, tuple[Envelope, Receipt]] = {}

    def run(self, given: Sequence[Given], taken: Sequence[Taken]) -> Account:
        """Make every check; give each receipt's payload as what it is known by."""
        self._check_order(given)
        held = {r.receipt.payload: r for r in given if r.receipt and self._open(r.receipt)}
        kept = {item.receipt.payload: item for item in taken if self._open(item.receipt)}
        settled = self._settled(held, kept)
        for payload, run in held.items():
            self._check_run(run, payload, kept=payload in settled)
        open_runs = [run for run in given if run.receipt is None or run.receipt.payload not in held]
        waiting = _record_ids(open_runs)
        covered = _record_ids(held.values())
        lost = {
            payload
            for payload in kept.keys() - held.keys()
            if waiting.intersection(ids := self._good[payload][1].record_ids)
            or not covered.issuperset(ids)
        }
        for payload, item in kept.items():
            if payload in lost:
                self._tell_undelivered(payload, open_runs)
            if item.missing:
                message = f"{self._receiver} signed for records as stored and does not hold them"
                self._add(Finding.NOT_HELD, message, item.missing, item.receipt)
        signed = {i for payload in lost for i in self._good[payload][1].record_ids}
        self._check_unsigned(open_runs, waiting - signed)
        agreed = [run for payload, run in held.items() if payload in settled]
        receipts = tuple(envelope for envelope, _ in self._good.values())
        count = len(_record_ids(agreed))
        found = tuple(self._differences)
        return Account(self._giver, self._receiver, len(agreed), count, receipts, found)

    def _add(
        self, finding: Finding, message: str, ids: Iterable[str] = (), *receipts: Envelope
    ) -> None:
        ordered = tuple(sorted(ids))
        difference = Difference(finding, self._giver, self._receiver, message, ordered, receipts)
        self._differences.append(difference)

    def _check_order(self, given: Sequence[Given]) -> None:
        last = 0
        for run in given:
            if run.first_offer != last + 1 or run.last_offer < run.first_offer:
                message = f"expected offers after {last}, got {run.first_offer} to {run.last_offer}"
                self._add(Finding.GAP, f"{self._giver}: {message}", run.record_ids)
            last = run.last_offer

    def _open(self, envelope: Envelope) -> bool:
        if (known := self._good.get(envelope.payload)) and known[0] == envelope:
            return True
        try:
            receipt = open_receipt(envelope, self._find_key)
            self._check_parties(receipt)
        except InvalidInput as error:
            self._add(Finding.BAD_RECEIPT, f"{error.reason}: {error}", (), envelope)
            return False
        self._good.setdefault(envelope.payload, (envelope, receipt))
        return True

    def _settled(self, held: Iterable[bytes], kept: Iterable[bytes]) -> set[bytes]:
        """Return which of the giver's receipts the receiver has, or need not have."""
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

    def _check_parties(self, receipt: Receipt) -> None:
        expected, got = (self._giver, self._receiver), (receipt.sender, receipt.receiver)
        if expected != got:
            message = f"expected from {expected[0]} to {expected[1]}, got from {got[0]} to {got[1]}"
            raise BadReceipt(message, field="receipt.sender")

    def _check_run(self, run: Given, payload: bytes, *, kept: bool) -> None:
        envelope, receipt = self._good[payload]
        if sorted(run.record_ids) != receipt.record_ids:
            message = f"{_offers(run)} of {self._giver} are not what {self._receiver} signed for"
            ids = set(run.record_ids).symmetric_difference(receipt.record_ids)
            self._add(Finding.MISMATCH, message, ids, envelope)
        if not kept:
            message = f"{self._receiver} has no copy of its receipt for {_offers(run)}"
            self._add(Finding.NOT_KEPT, message, receipt.record_ids, envelope)

    def _tell_undelivered(self, payload: bytes, open_runs: Sequence[Given]) -> None:
        envelope, receipt = self._good[payload]
        message = f"{self._giver} has no receipt that {self._receiver} signed"
        message += f" at {format_time(receipt.time)}"
        ids = set(receipt.record_ids)
        offers = [_offers(run) for run in open_runs if ids.intersection(run.record_ids)]
        if offers:
            message += f", for records among {' and '.join(offers)}"
        self._add(Finding.NOT_DELIVERED, message, ids, envelope)

    def _check_unsigned(self, runs: Sequence[Given], ids: set[str]) -> None:
        for run in runs:
            if ids.intersection(run.record_ids):
                message = f"{self._receiver} has not signed for {_offers(run)} of {self._giver}"
                self._add(Finding.UNSIGNED, message, ids.intersection(run.record_ids))


def _record_ids(runs: Iterable[Given]) -> set[str]:
    return {record_id for run in runs for record_id in run.record_ids}


def _offers(run: Given) -> str:
    return f"offers {run.first_offer} to {run.last_offer}"
