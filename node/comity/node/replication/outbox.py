"""The sending side of replication: a peer's queue, in batches, and its receipts.

Invariants: offers go out in order, and a batch is a run of consecutive offers; either all of them
were signed for before or none, so that receipts do not overlap when a peer begins again; memory is
bounded by one batch, since sizes are known before contents are read; a receipt is kept only if the
peer signed it and it names exactly the records of the offers that it covers (invariant 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import insert
from sqlmodel import Session, select

from comity.node.database.cursors import make_cursor, read_cursor
from comity.node.database.owner import own_institute
from comity.node.database.rows import last_number
from comity.node.database.store import WriteSession
from comity.node.database.tables import (
    HEADER,
    NodeRow,
    PartRow,
    PeerRow,
    ReceiptRow,
    RecordRow,
    ReleaseRow,
)
from comity.node.log.travelling_proofs import travelling_proof
from comity.node.policy.standing.given import count_receipt
from comity.node.replication.batches import Batch
from comity.node.trust.peers import bundle_of
from comity.node.trust.pins import known_bundle
from comity.record.bundle import Keyring
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.errors import BadReceipt
from comity.record.limits import MAX_BATCH_RECORDS
from comity.record.receipt import Receipt, open_receipt
from comity.record.record import Record
from comity.record.revocation import check_in_force, revoked_from

BATCH_BYTES: Final = 4 << 20
"""Target size of a batch. One record may exceed it, but never the message limit."""

PROOF_BYTES: Final = 2 << 20
"""Target size of the proofs that go with a batch. One proof may exceed it; see above."""

_HEADERS: Final = sa.select(
    RecordRow.record_seq,
    RecordRow.record_id,
    RecordRow.issuer,
    RecordRow.payload,
    RecordRow.keyid,
    RecordRow.signature,
)

_BATCH_PARTS: Final = 4096
"""Parts looked at for one batch; 256 records of 16 parts each."""


@dataclass(frozen=True, slots=True)
class _Offered:
    number: int
    record_seq: int
    section: int
    part_id: int


def epoch_of(session: Session) -> str:
    """Return the id of this life of the database."""
    return session.exec(select(NodeRow.epoch)).one()


def next_batch(session: Session, peer: str, after: int) -> tuple[Batch, int] | None:
    """Return the batch after an offer number, and the number of its last offer.

    None means that nothing more waits for the peer.
    """
    offered = _next_offers(session, peer, after)
    if not offered:
        return None

    # proofs of records whose key was revoked since may leave room for fewer offers
    rows = _headers(session, offered)
    proofs = _proofs(session, list(rows.values()))
    offered = _as_proofs_fit(offered, proofs)

    epoch, last = epoch_of(session), offered[-1].number
    batch = Batch(
        records=_records(session, offered, rows, proofs),
        previous_cursor=make_cursor(epoch, after),
        cursor=make_cursor(epoch, last),
    )
    return batch, last


def _next_offers(session: Session, peer: str, after: int) -> list[_Offered]:
    """Return the offers after a number, as many as fit into a batch by size and by records."""
    query = (
        sa.select(
            ReleaseRow.offer_number,
            PartRow.record_seq,
            PartRow.section,
            PartRow.part_id,
            PartRow.size,
        )
        .join(PartRow, PartRow.part_id == ReleaseRow.part_id)
        .where(ReleaseRow.peer == peer, ReleaseRow.offer_number > after)
        .order_by(ReleaseRow.offer_number)
        .limit(_BATCH_PARTS)
    )

    # all or none of a batch was signed for before
    receipted = session.get_one(PeerRow, peer).receipted
    if after < receipted:
        query = query.where(ReleaseRow.offer_number <= receipted)

    rows = session.connection().execute(query)
    chosen: list[_Offered] = []
    seqs: set[int] = set()
    size = 0
    for number, record_seq, section, part_id, part_size in rows:
        new = record_seq not in seqs
        size += part_size
        if chosen and (size > BATCH_BYTES or (new and len(seqs) == MAX_BATCH_RECORDS)):
            break
        seqs.add(record_seq)
        chosen.append(_Offered(number, record_seq, section, part_id))
    return chosen


def _headers(session: Session, offered: list[_Offered]) -> dict[int, Any]:
    """Return the rows of the offers' records by ``record_seq``, as plain columns."""
    query = _HEADERS.where(RecordRow.record_seq.in_({item.record_seq for item in offered}))
    return {row.record_seq: row for row in session.connection().execute(query)}


def _as_proofs_fit(offered: list[_Offered], proofs: dict[int, bytes]) -> list[_Offered]:
    """Return the first of the offers, as many as have room for their proofs in PROOF_BYTES."""
    sizes = {seq: len(proof) for seq, proof in proofs.items()}
    total = 0
    for count, item in enumerate(offered):
        total += sizes.pop(item.record_seq, 0)
        if count and total > PROOF_BYTES:
            return offered[:count]
    return offered


def _records(
    session: Session, offered: list[_Offered], rows: dict[int, Any], proofs: dict[int, bytes]
) -> tuple[Record, ...]:
    """Return the records of the offers, in their order, each with what is offered of it."""
    ids = [item.part_id for item in offered if item.section != HEADER]
    query = select(PartRow.part_id, PartRow.disclosure).where(PartRow.part_id.in_(ids))
    disclosures = dict(session.exec(query).all())

    by_record: dict[int, list[bytes]] = {}
    for item in offered:
        found = by_record.setdefault(item.record_seq, [])
        disclosure = disclosures.get(item.part_id)
        if disclosure is not None:
            found.append(disclosure)

    return tuple(
        Record(
            Envelope(STATEMENT_TYPE, rows[seq].payload, rows[seq].keyid, rows[seq].signature),
            tuple(found),
            proofs.get(seq, b""),
        )
        for seq, found in by_record.items()
    )


def _proofs(session: Session, rows: Sequence[Any]) -> dict[int, bytes]:
    """Return by ``record_seq`` the proofs that travel with records whose key was revoked since."""
    own = own_institute(session)
    bundles = {
        issuer: known_bundle(session, issuer, own) for issuer in {row.issuer for row in rows}
    }

    proofs = {}
    for row in rows:
        bundle = bundles[row.issuer]
        if bundle is not None and revoked_from(bundle, row.keyid) is not None:
            proofs[row.record_seq] = travelling_proof(session, row.record_id, bundle, own)
    return proofs


def keep_receipt(session: WriteSession, peer: str, envelope: Envelope, now: int) -> int:
    """Check and keep a peer's receipt; return the number of the last offer that it covers.

    (1) a key in the peer's pinned bundle signed it, and is in force
    (2) its cursors are of this life of the database
    (3) it is between the two institutes and names what was offered between its cursors
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
    _check_fits(session, row, receipt, first, last)

    # (4) it is new, or was sent again after a cut
    if last <= row.receipted:
        return last
    session.connection().execute(
        insert(ReceiptRow),
        [
            {
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
        ],
    )
    count_receipt(session, row, last, now)
    row.receipted, row.contact_time = last, now
    session.add(row)
    session.flush()
    return last


def _check_fits(session: Session, row: PeerRow, receipt: Receipt, first: int, last: int) -> None:
    """Check that a receipt is the peer's for what was offered to it in offers first + 1 to last."""
    if receipt.receiver != row.institute:
        message = f"expected receiver {row.institute}, got {receipt.receiver}"
        raise BadReceipt(message, field="receipt.receiver")
    own = own_institute(session)
    if receipt.sender != own:
        raise BadReceipt(f"expected sender {own}, got {receipt.sender}", field="receipt.sender")

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
