"""Peers' receipts: checked against what was offered, kept, and counted.

Invariant: a receipt is kept only if the peer signed it and it names exactly the records of the
offers that it covers, so both ledgers agree once receipts have been exchanged (invariant 6).
"""

from __future__ import annotations

from sqlalchemy import insert
from sqlmodel import Session, select

from comity.node.database.cursors import read_cursor
from comity.node.database.owner import epoch_of, own_institute
from comity.node.database.rows import last_number
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PartRow, PeerRow, ReceiptRow, RecordRow, ReleaseRow
from comity.node.policy.standing.given import count_receipt
from comity.node.replication.not_stored import note_not_stored, settle_waiting
from comity.node.trust.peers import bundle_of
from comity.record.bundle import Keyring
from comity.record.envelope import Envelope
from comity.record.errors import BadReceipt
from comity.record.limits import MAX_BATCH_RECORDS
from comity.record.receipt import Receipt, open_receipt
from comity.record.revocation import check_in_force


def keep_receipt(session: WriteSession, peer: str, envelope: Envelope, now: int) -> int:
    """Check and keep a peer's receipt; return the number of the last offer that it covers.

    (1) a key in the peer's pinned bundle signed it, and is in force
    (2) its cursors are of this life of the database
    (3) it is between the two institutes and names what was offered between its cursors; one
        without offers only tells what became of records that waited
    (4) a receipt that comes again changes nothing; a new one is kept and counted

    Raises:
        InvalidInput: bad signature, a revoked key, or a receipt that does not fit what was sent.
        CursorRefused: its cursors are not of this database.
    """
    # (1) the peer signed it
    row = session.get_one(PeerRow, peer)
    bundle = bundle_of(row)
    receipt = open_receipt(envelope, Keyring([bundle]).find)
    check_in_force(envelope.keyid, bundle)

    # (2) the cursors are ours
    epoch = epoch_of(session)
    first = read_cursor(receipt.previous_cursor, epoch, row.offered)
    last = read_cursor(receipt.cursor, epoch, row.offered)

    # (3) it fits what was offered
    _check_parties(session, row, receipt)
    if not receipt.covers_offers:
        settle_waiting(session, peer, receipt, now)
        return row.receipted
    _check_fits(session, row, receipt, first, last)

    # (4) it is new, or was sent again after a cut
    if last <= row.receipted:
        return last
    _insert(session, peer, receipt, last, envelope, now)
    note_not_stored(session, peer, receipt, now)
    count_receipt(session, row, last, now)
    # a peer that signs for a batch takes again
    row.receipted, row.contact_time, row.paused_until = last, now, None
    session.add(row)
    session.flush()
    return last


def _insert(
    session: WriteSession, peer: str, receipt: Receipt, last: int, envelope: Envelope, now: int
) -> None:
    row = {
        "receipt_id": last_number(session, ReceiptRow.receipt_id) + 1,
        "peer": peer,
        "ours": False,
        "cursor": receipt.cursor,
        "last_offer": last,
        "receipt_time": now,
        "keyid": envelope.keyid,
        "signature": envelope.signature,
        "payload": envelope.payload,
    }
    session.connection().execute(insert(ReceiptRow), [row])


def _check_parties(session: Session, row: PeerRow, receipt: Receipt) -> None:
    """Check that a receipt is the peer's, for offers of this institute."""
    if receipt.receiver != row.institute:
        message = f"expected receiver {row.institute}, got {receipt.receiver}"
        raise BadReceipt(message, field="receipt.receiver")
    own = own_institute(session)
    if receipt.sender != own:
        raise BadReceipt(f"expected sender {own}, got {receipt.sender}", field="receipt.sender")


def _check_fits(session: Session, row: PeerRow, receipt: Receipt, first: int, last: int) -> None:
    """Check that a receipt is for what was offered to the peer in offers first + 1 to last."""
    # receipts come in order, without a gap
    if first > row.receipted:
        message = f"expected a receipt after offer {row.receipted}, got one after {first}"
        raise BadReceipt(message, field="receipt.previousCursor")

    query = (
        select(RecordRow.record_id)
        .join(PartRow, PartRow.record_seq == RecordRow.record_seq)
        .join(ReleaseRow, ReleaseRow.part_id == PartRow.part_id)
        .where(ReleaseRow.peer == row.institute)
        .where(ReleaseRow.offer_number.between(first + 1, last))
        .distinct()
        .limit(MAX_BATCH_RECORDS + 1)
    )
    offered = sorted(session.exec(query))
    if offered != receipt.record_ids:
        message = f"expected the {len(offered)} records offered, got {len(receipt.record_ids)}"
        raise BadReceipt(message, field="receipt.stored")
