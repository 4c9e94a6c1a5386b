"""Between the domain and the messages of ExchangeService, on both sides of a stream.

Invariant: the number of a batch's offers is checked before the first of them is read, so that a
message full of empty offers costs no memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from comity.node.records.quarantine import Refusal
from comity.node.release.standing_report import StandingReport
from comity.node.replication.batches import Batch
from comity.node.replication.ledger import Given, Taken
from comity.record.envelope import Envelope
from comity.record.errors import MalformedEnvelope
from comity.record.limits import MAX_BATCH_RECORDS
from comity.record.record import Record
from comity.record.wire import envelope_to_proto, record_from_proto, record_to_proto
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import record_pb2


def batch_to_proto(batch: Batch) -> pb.Batch:
    """Return the wire form of a batch."""
    return pb.Batch(
        offers=[pb.Offer(record=record_to_proto(record)) for record in batch.records],
        previous_cursor=batch.previous_cursor,
        cursor=batch.cursor,
    )


def batch_from_proto(message: pb.Batch) -> Batch:
    """Read a peer's batch; nothing is verified. An offer that is no record becomes a refusal.

    Raises:
        LimitExceeded: more than MAX_BATCH_RECORDS offers.
    """
    MAX_BATCH_RECORDS.check(len(message.offers), "batch.offers")
    records: list[Record] = []
    refused: list[Refusal] = []
    for offer in message.offers:
        try:
            records.append(record_from_proto(offer.record))
        except MalformedEnvelope as error:
            refused.append(Refusal(_claimed(offer.record), error))

    return Batch(tuple(records), message.previous_cursor, message.cursor, tuple(refused))


def _claimed(message: record_pb2.Record) -> Record:
    """Return what an offer claims to be, for quarantine: its payload, under its first keyid."""
    signatures = message.envelope.signatures
    keyid = signatures[0].keyid if signatures else ""
    return Record(Envelope(message.envelope.payload_type, message.envelope.payload, keyid, b""))


def standing_to_proto(report: StandingReport) -> pb.GetStandingResponse:
    """Return the wire form of a peer's standing."""
    kinds = [
        pb.KindStanding(
            kind=kind.kind,
            received=kind.received,
            received_ever=kind.received_ever,
            given=kind.given,
            given_ever=kind.given_ever,
            pending=kind.pending,
            pending_ever=kind.pending_ever,
            credit=kind.credit,
            rejected=kind.rejected,
            rejected_ever=kind.rejected_ever,
            withheld=kind.withheld,
        )
        for kind in report.kinds
    ]
    return pb.GetStandingResponse(kinds=kinds, window_days=report.window_days)


def ledger_to_proto(entries: Sequence[Given | Taken], token: str) -> pb.ListLedgerResponse:
    """Return the wire form of a page of the ledger; ``token`` is that of the next page."""
    return pb.ListLedgerResponse(
        entries=[_entry_to_proto(entry) for entry in entries], next_page_token=token
    )


def _entry_to_proto(entry: Given | Taken) -> pb.LedgerEntry:
    if isinstance(entry, Taken):
        taken = pb.Taken(receipt=envelope_to_proto(entry.receipt), missing_record_ids=entry.missing)
        return pb.LedgerEntry(taken=taken)

    given = pb.Given(
        first_offer=entry.first_offer,
        last_offer=entry.last_offer,
        record_ids=entry.record_ids,
        receipt=None if entry.receipt is None else envelope_to_proto(entry.receipt),
    )
    return pb.LedgerEntry(given=given)
