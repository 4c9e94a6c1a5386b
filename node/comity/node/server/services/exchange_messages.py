"""Between the domain and the messages of ExchangeService."""

from __future__ import annotations

from collections.abc import Sequence

from comity.node.release.standing_report import StandingReport
from comity.node.replication.ledger import Given, Taken
from comity.record.wire import envelope_to_proto
from comity.v1 import exchange_service_pb2 as pb


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
