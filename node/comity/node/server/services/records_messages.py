"""Between records and filters of the domain and the messages of RecordsService.

Invariant: a filter's size is checked here, before anything of it is looked at.
"""

from __future__ import annotations

from comity.node.records.held_records import HeldRecord
from comity.node.records.search import RecordFilter
from comity.node.server.services.timestamps import to_timestamp
from comity.record.limits import MAX_FILTER_BYTES
from comity.record.wire import envelope_to_proto, record_to_proto
from comity.v1 import record_pb2
from comity.v1 import records_service_pb2 as pb


def filter_from_proto(message: pb.RecordFilter) -> RecordFilter:
    """Read a caller's filter.

    Raises:
        LimitExceeded: over MAX_FILTER_BYTES.
    """
    MAX_FILTER_BYTES.check(message.ByteSize(), "filter")
    return RecordFilter(
        kinds=tuple(message.kinds),
        issuers=tuple(message.issuers),
        model=message.model,
        tags=tuple(message.tags),
        domains=tuple(message.domains),
        min_severity=message.min_severity,
        text=message.text,
        include_superseded=message.include_superseded,
        include_withdrawn=message.include_withdrawn,
    )


def held_record_to_proto(held: HeldRecord) -> record_pb2.StoredRecord:
    """Return the wire form of a record as this node holds it."""
    return record_pb2.StoredRecord(
        record=record_to_proto(held.record),
        origin=held.origin,
        received_time=to_timestamp(held.received_time),
        superseded_by=held.superseded_by,
        withdrawal=envelope_to_proto(held.withdrawal) if held.withdrawal else None,
    )
