"""The sending side of replication: a peer's queue, in batches.

Invariants: offers go out in order, and a batch is a run of consecutive offers; either all of them
were signed for before or none, so that receipts do not overlap when a peer begins again; memory is
bounded by one batch, since sizes are known before contents are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session, select

from comity.node.database.cursors import make_cursor
from comity.node.database.owner import epoch_of, own_institute
from comity.node.database.tables import (
    HEADER,
    PartRow,
    PeerRow,
    RecordRow,
    ReleaseRow,
)
from comity.node.log.travelling_proofs import travelling_proof
from comity.node.replication.batches import Batch
from comity.node.trust.pins import known_bundle
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.limits import MAX_BATCH_RECORDS
from comity.record.record import Record
from comity.record.revocation import revoked_from

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
