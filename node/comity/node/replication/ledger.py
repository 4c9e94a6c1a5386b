"""The ledger between this institute and one peer, in compact form, for reconciling.

What this node gave is listed in runs of offers, each with the peer's receipt if there is one; what
it took is listed in its own receipts. Invariants: only entries about that one peer are ever
returned; a receipt is listed with the offers from its own first one on, so that it does not seem to
be for other records where the receipt before it is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sqlmodel import Session, select

from comity.node.database.cursors import make_page_token, offer_of, read_page_token
from comity.node.database.tables import PartRow, ReceiptRow, RecordRow, ReleaseRow
from comity.record import ijson
from comity.record.envelope import Envelope
from comity.record.limits import MAX_BATCH_RECORDS, Limit

MAX_LEDGER_PAGE: Final = Limit("MAX_LEDGER_PAGE", 50, "entries")
"""Entries of a page: a receipt may take 100 KiB, and a page has to fit in one message."""

_RUN_PARTS: Final = 4096
"""Most offers in one run that no receipt covers."""

_GIVEN, _TAKEN = 0, 1


@dataclass(frozen=True, slots=True)
class Given:
    """A run of offers, the ids of their records, and the receiver's receipt if it came."""

    first_offer: int
    last_offer: int
    record_ids: tuple[str, ...]
    receipt: Envelope | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A receiver's own receipt, and the records that it lists as stored but that are not held."""

    receipt: Envelope
    missing: tuple[str, ...] = ()


def given_to(session: Session, peer: str, after: int = 0) -> Iterator[Given]:
    """Yield what was given to a peer in the offers after number ``after``, oldest first."""
    query = select(ReceiptRow).where(ReceiptRow.peer == peer, ~ReceiptRow.ours)
    query = query.order_by(ReceiptRow.last_offer).limit(MAX_LEDGER_PAGE)
    while rows := session.exec(query.where(ReceiptRow.last_offer > after)).all():
        for row in rows:
            # offers before the receipt's own first one lack a receipt
            start = offer_of(ijson.loads(row.payload)["previousCursor"])
            while after < start and (run := _unsigned(session, peer, after, start)):
                yield run
                after = run.last_offer

            ids = {record_id for _, record_id in _offers(session, peer, after, row.last_offer)}
            yield Given(after + 1, row.last_offer, tuple(sorted(ids)), row.envelope)
            after = row.last_offer

    # and so do those after the last receipt
    while run := _unsigned(session, peer, after):
        yield run
        after = run.last_offer


def taken_from(session: Session, peer: str, after: int = 0) -> Iterator[tuple[int, Taken]]:
    """Yield our receipts for what a peer gave, each with its receipt_id, after a receipt_id."""
    query = select(ReceiptRow).where(ReceiptRow.peer == peer, ReceiptRow.ours)
    query = query.order_by(ReceiptRow.receipt_id).limit(MAX_LEDGER_PAGE)
    while rows := session.exec(query.where(ReceiptRow.receipt_id > after)).all():
        for row in rows:
            stored: set[str] = set(ijson.loads(row.payload)["stored"])
            held = select(RecordRow.record_id).where(RecordRow.record_id.in_(stored))
            present: set[str] = set(session.exec(held))
            missing = stored - present
            yield row.receipt_id, Taken(row.envelope, tuple(sorted(missing)))
            after = row.receipt_id


def list_ledger(
    session: Session, peer: str, page_size: int, page_token: str
) -> tuple[list[Given | Taken], str]:
    """Return a page of the ledger with a peer, and the token of the next page.

    What was given comes first. ``page_size`` is 1 to MAX_LEDGER_PAGE; 0 means MAX_LEDGER_PAGE. The
    token is empty on the last page.

    Raises:
        LimitExceeded: page_size is over MAX_LEDGER_PAGE.
        BadCursor: not a page token of this list.
    """
    MAX_LEDGER_PAGE.check(page_size, "page_size")
    size = page_size or MAX_LEDGER_PAGE
    side, after = read_page_token(page_token, _GIVEN, 0)

    # one entry more than asked for says whether there is a next page
    found = list(islice(_entries(session, peer, side, after), size + 1))
    page = found[:size]
    token = make_page_token(*page[-1][0]) if len(found) > size else ""
    return [entry for _, entry in page], token


def _entries(
    session: Session, peer: str, side: int, after: int
) -> Iterator[tuple[tuple[int, int], Given | Taken]]:
    """Yield entries after a position, each with its own position: side, and number within it."""
    if side == _GIVEN:
        for given in given_to(session, peer, after):
            yield (_GIVEN, given.last_offer), given
        after = 0
    for receipt_id, taken in taken_from(session, peer, after):
        yield (_TAKEN, receipt_id), taken


def _unsigned(session: Session, peer: str, after: int, until: int | None = None) -> Given | None:
    """Return a run of offers without a receipt, up to MAX_BATCH_RECORDS records; None if none."""
    ids: set[str] = set()
    last = after
    most = after + _RUN_PARTS
    for number, record_id in _offers(session, peer, after, min(most, until or most)):
        if len(ids) == MAX_BATCH_RECORDS and record_id not in ids:
            break
        ids.add(record_id)
        last = number
    return Given(after + 1, last, tuple(sorted(ids))) if ids else None


def _offers(session: Session, peer: str, after: int, until: int) -> list[tuple[int, str]]:
    query = (
        select(ReleaseRow.offer_number, RecordRow.record_id)
        .join(PartRow, PartRow.part_id == ReleaseRow.part_id)
        .join(RecordRow, RecordRow.record_seq == PartRow.record_seq)
        .where(ReleaseRow.peer == peer, ReleaseRow.offer_number.between(after + 1, until))
        .order_by(ReleaseRow.offer_number)
    )
    return list(session.exec(query))
