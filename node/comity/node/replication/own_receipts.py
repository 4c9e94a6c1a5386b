"""Our own receipts: what this institute signs and signed for, peer by peer.

A receipt is idle if an earlier one lists all of its records as stored: the peer sent again what it
had sent before. Invariants: every receipt that is not idle is kept; of the idle ones the newest
MAX_IDLE_RECEIPTS of each peer are kept, so that a peer that repeats itself for ever does not fill
the database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import delete, exists, insert
from sqlmodel import Session, select

from comity.node.database.clock import to_datetime
from comity.node.database.rows import insert_rows, last_number
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PeerRow, ReceiptRow, RecordRow, SecondedRow
from comity.node.trust.site import Site
from comity.record import ijson
from comity.record.envelope import RECEIPT_TYPE, Envelope
from comity.record.keys import SigningKey
from comity.record.limits import MAX_BATCH_RECORDS
from comity.record.receipt import Receipt, Rejected

MAX_IDLE_RECEIPTS: Final = 256
"""Idle receipts are needed only while they are on their way: this is many times as many."""


@dataclass(frozen=True, slots=True)
class RecordOutcomes:
    """The ids of stored records, and of those refused and waiting by id with the reason of each."""

    stored: Collection[str]
    refused: Mapping[str, str]
    waiting: Mapping[str, str] = field(default_factory=dict)


def sign_receipt(
    site: Site, sender: str, previous_cursor: str, cursor: str, outcome: RecordOutcomes
) -> Envelope:
    """Return our signed receipt for the offers between two cursors of a sender.

    Equal cursors are for what became of records that waited.
    """
    receipt = Receipt(
        receiver=site.institute,
        sender=sender,
        time=to_datetime(site.clock()),
        previous_cursor=previous_cursor,
        cursor=cursor,
        stored=tuple(sorted(outcome.stored)),
        rejected=_with_reasons(outcome.refused),
        waiting=_with_reasons(outcome.waiting),
    )
    return receipt.sign(site.own.record_key)


def unsent_receipts(session: Session, peer: PeerRow, receipted_cursor: str) -> list[Envelope]:
    """Return our receipts from the last that the peer holds to the newest, oldest first.

    The chain is followed backwards from our cursor. Receipts from before we had to start anew are
    not in it, and the peer could not place them.
    """
    query = select(ReceiptRow).where(ReceiptRow.peer == peer.institute, ReceiptRow.ours)
    newest_first = query.order_by(ReceiptRow.receipt_id.desc())
    found: list[Envelope] = []
    here = peer.cursor

    # PostgreSQL keeps a cursor open until it is read to its end or closed
    with closing(session.exec(newest_first.execution_options(yield_per=MAX_BATCH_RECORDS))) as rows:
        for row in rows:
            if row.cursor != here or here == receipted_cursor:
                break
            found.append(row.envelope)
            here = ijson.loads(row.payload)["previousCursor"]
    return found[::-1]


def keep_own_receipt(
    session: WriteSession, peer: str, cursor: str, receipt: Envelope, now: int, *, idle: bool
) -> None:
    """Keep a receipt that this node signed."""
    row = {
        "receipt_id": last_number(session, ReceiptRow.receipt_id) + 1,
        "peer": peer,
        "ours": True,
        "idle": idle,
        "cursor": cursor,
        "last_offer": 0,
        "receipt_time": now,
        "keyid": receipt.keyid,
        "signature": receipt.signature,
        "payload": receipt.payload,
    }
    session.connection().execute(insert(ReceiptRow), [row])
    if idle:
        _make_room(session, peer)


def sign_anew(session: WriteSession, peer: str, receipt: Envelope, key: SigningKey) -> None:
    """Replace the signature under a receipt that this node signed."""
    signed = Envelope.sign(RECEIPT_TYPE, receipt.payload, key)
    query = select(ReceiptRow).where(ReceiptRow.peer == peer, ReceiptRow.ours)
    for row in session.exec(query.where(ReceiptRow.payload == receipt.payload)):
        row.keyid, row.signature = signed.keyid, signed.signature
        session.add(row)
    session.flush()


def note_seconded(session: WriteSession, peer: str, record_ids: Collection[str]) -> bool:
    """Note those of the records that another peer gave first; tell whether one is new in that."""
    noted = exists().where(SecondedRow.peer == peer, SecondedRow.record_seq == RecordRow.record_seq)
    query = select(RecordRow.record_seq).where(
        RecordRow.record_id.in_(record_ids), RecordRow.origin != peer, ~noted
    )
    rows = [{"peer": peer, "record_seq": record_seq} for record_seq in session.exec(query)]
    if rows:
        insert_rows(session, SecondedRow, rows)
    return bool(rows)


def _with_reasons(reasons: Mapping[str, str]) -> tuple[Rejected, ...]:
    return tuple(Rejected(record=i, reason=reason) for i, reason in sorted(reasons.items()))


def _make_room(session: WriteSession, peer: str) -> None:
    """Drop the oldest idle receipts, beyond MAX_IDLE_RECEIPTS."""
    idle = (ReceiptRow.peer == peer, ReceiptRow.idle)
    newest_first = select(ReceiptRow.receipt_id).where(*idle)
    newest_first = newest_first.order_by(ReceiptRow.receipt_id.desc())
    last = session.exec(newest_first.offset(MAX_IDLE_RECEIPTS).limit(1)).first()
    if last is not None:
        surplus = delete(ReceiptRow).where(*idle, ReceiptRow.receipt_id <= last)
        session.connection().execute(surplus)
