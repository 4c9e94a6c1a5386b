"""From rows of the ledger and of witnessed logs to the messages of AuditService."""

from __future__ import annotations

from comity.node.database.tables import (
    HEADER,
    WAITING,
    PartRow,
    QuarantineRow,
    ReceiptRow,
    ReleaseRow,
    RulingRow,
    SplitViewRow,
    WitnessedLogRow,
)
from comity.node.server.services.timestamps import to_optional_timestamp, to_timestamp
from comity.record.log import origin
from comity.record.wire import envelope_to_proto
from comity.v1 import audit_service_pb2 as pb


def release_to_proto(
    release: ReleaseRow, part: PartRow, record_id: str, ruling: RulingRow, receipt_time: int | None
) -> pb.Release:
    """Return the wire form of a release; ``receipt_time`` is None while no receipt covers it."""
    return pb.Release(
        peer=release.peer,
        record_id=record_id,
        section=part.name,
        is_header=part.section == HEADER,
        offer_number=release.offer_number,
        release_time=to_timestamp(release.release_time),
        policy_digest=ruling.policy_digest,
        policy_version=ruling.policy_version,
        rules=ruling.rules,
        receipt_time=to_optional_timestamp(receipt_time),
    )


def receipt_to_proto(row: ReceiptRow) -> pb.StoredReceipt:
    """Return the wire form of a receipt that a peer signed."""
    return pb.StoredReceipt(
        peer=row.peer,
        envelope=envelope_to_proto(row.envelope),
        receipt_time=to_timestamp(row.receipt_time),
    )


def quarantined_to_proto(row: QuarantineRow) -> pb.QuarantinedRecord:
    """Return the wire form of a refused record, without its bytes."""
    return pb.QuarantinedRecord(
        peer=row.peer,
        record_id=row.record_id,
        reason=row.reason,
        message=row.message,
        quarantine_time=to_timestamp(row.quarantine_time),
        count=row.count,
        waiting=row.state == WAITING,
    )


def witnessed_log_to_proto(row: WitnessedLogRow) -> pb.WitnessedLog:
    """Return the wire form of what is held of another institute's log."""
    return pb.WitnessedLog(
        institute=row.institute,
        checkpoint=row.note,
        witnessed_time=to_optional_timestamp(row.witnessed_time),
        halted=row.halted,
        origin=origin(row.institute, row.log_number),
    )


def split_view_to_proto(row: SplitViewRow) -> pb.SplitView:
    """Return the wire form of evidence against a log."""
    return pb.SplitView(
        institute=row.institute, evidence=row.evidence, found_time=to_timestamp(row.found_time)
    )
