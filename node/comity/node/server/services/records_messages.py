"""Between records and filters of the domain and the messages of RecordsService.

Invariant: a filter's size is checked here, before anything of it is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from comity.node.records.filter import RecordFilter
from comity.node.records.held_records import HeldRecord
from comity.node.records.search import SearchOrder
from comity.node.server.services.timestamps import to_timestamp
from comity.record.errors import InvalidInput
from comity.record.limits import MAX_FILTER_BYTES
from comity.record.wire import envelope_to_proto, record_to_proto
from comity.v1 import record_pb2
from comity.v1 import records_service_pb2 as pb

_ORDERS: Final[Mapping[int, SearchOrder]] = {
    pb.SEARCH_ORDER_UNSPECIFIED: SearchOrder.RELEVANCE,
    pb.SEARCH_ORDER_RELEVANCE: SearchOrder.RELEVANCE,
    pb.SEARCH_ORDER_NEWEST: SearchOrder.NEWEST,
}


def filter_from_proto(message: pb.RecordFilter) -> RecordFilter:
    """Read a caller's filter.

    Raises:
        LimitExceeded: over MAX_FILTER_BYTES.
    """
    MAX_FILTER_BYTES.check(message.ByteSize(), "filter")
    return RecordFilter(
        kinds=tuple(message.kinds),
        issuers=tuple(message.issuers),
        models=tuple(message.models),
        tags=tuple(message.tags),
        domains=tuple(message.domains),
        min_severity=message.min_severity,
        texts=tuple(message.texts),
        include_superseded=message.include_superseded,
        include_withdrawn=message.include_withdrawn,
    )


def order_from_proto(order: int) -> SearchOrder:
    """Read the order of a search's results; RELEVANCE if it is left open.

    Raises:
        InvalidInput: not an order.
    """
    try:
        return _ORDERS[order]
    except KeyError as error:
        raise InvalidInput(f"expected 0, 1 or 2, got {order}", field="order") from error


def held_record_to_proto(held: HeldRecord) -> record_pb2.StoredRecord:
    """Return the wire form of a record as this node holds it."""
    return record_pb2.StoredRecord(
        record=record_to_proto(held.record),
        origin=held.origin,
        received_time=to_timestamp(held.received_time),
        superseded_by=held.superseded_by,
        withdrawal=envelope_to_proto(held.withdrawal) if held.withdrawal else None,
    )
