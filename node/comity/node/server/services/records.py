"""RecordsService: publishing, reading, searching and watching.

Invariant: PublishRecord answers only after the record is stored and logged (invariant 4).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from comity.node.database.cursors import make_page_token, read_page_token
from comity.node.database.rows import last_number
from comity.node.database.statement_limit import StatementLimit
from comity.node.database.tables import RecordRow
from comity.node.node import Node
from comity.node.records.filter import RecordFilter
from comity.node.records.held_records import held_records
from comity.node.records.search import find_record, records_after, search_records
from comity.node.server.services.records_messages import (
    filter_from_proto,
    held_record_to_proto,
    order_from_proto,
)
from comity.node.server.threads import in_thread, in_thread_until
from comity.node.server.wakeup import Bell
from comity.node.trust.root_chains import newest_root, page_after
from comity.record.bundle import TrustBundle
from comity.record.limits import Limit
from comity.record.wire import record_from_proto
from comity.v1 import record_pb2
from comity.v1 import records_service_pb2 as pb
from comity.v1 import records_service_pb2_grpc as rpc

WATCH_PAGE: Final = 32
"""Records that a watch reads at a time."""

MAX_SEARCH_SECONDS: Final = Limit("MAX_SEARCH_SECONDS", 10, "seconds")
"""Time for the statements of one search; an index answers in a small part of it."""


class RecordsServicer(rpc.RecordsServiceServicer):
    """For the people of this institute."""

    def __init__(self, node: Node, bell: Bell, stopping: asyncio.Event) -> None:
        self._node, self._bell, self._stopping = node, bell, stopping

    async def PublishRecord(  # noqa: N802
        self, request: pb.PublishRecordRequest, context: Any
    ) -> pb.PublishRecordResponse:
        """Store, log and release a record of this institute."""
        record = record_from_proto(request.record)
        published = await in_thread(self._node.publish, record)
        self._bell.ring()
        return pb.PublishRecordResponse(
            record_id=published.record_id,
            log_index=published.log_index,
            already_stored=published.already_stored,
            warnings=published.warnings,
        )

    async def GetRecord(  # noqa: N802
        self, request: pb.GetRecordRequest, context: Any
    ) -> pb.GetRecordResponse:
        """Return one record."""
        record = await in_thread(self._get, request.record_id)
        return pb.GetRecordResponse(record=record)

    async def SearchRecords(  # noqa: N802
        self, request: pb.SearchRecordsRequest, context: Any
    ) -> pb.SearchRecordsResponse:
        """Return a page of the records that match a filter."""
        limit = StatementLimit(MAX_SEARCH_SECONDS)
        return await in_thread_until(limit.stop, self._search, request, limit)

    async def WatchRecords(  # noqa: N802
        self, request: pb.WatchRecordsRequest, context: Any
    ) -> AsyncIterator[pb.WatchRecordsResponse]:
        """Stream matching records as they arrive, until the caller or the node ends it."""
        wanted = filter_from_proto(request.filter)
        (after,) = read_page_token(request.page_token, await in_thread(self._newest))
        # tells the caller that whatever arrives from now on will be shown
        await context.send_initial_metadata(())

        while not self._stopping.is_set():
            # counted before looking, so that a record that arrives meanwhile is not slept through
            heard = self._bell.rings
            limit = StatementLimit(MAX_SEARCH_SECONDS)
            after, responses = await in_thread_until(
                limit.stop, self._arrived, wanted, after, limit
            )
            for response in responses:
                yield response
            if not responses:
                await self._bell.wait(heard)

    async def ListBundles(  # noqa: N802
        self, request: pb.ListBundlesRequest, context: Any
    ) -> pb.ListBundlesResponse:
        """Return the pinned bundles, this institute's first, and those of former peers."""
        bundles = await in_thread(self._node.bundles)
        former = await in_thread(self._node.former_bundles)
        return pb.ListBundlesResponse(
            bundles=[b.to_json().rstrip(b"\n") for b in bundles],
            former_bundles=[b.to_json().rstrip(b"\n") for b in former],
            roots=await in_thread(self._roots, bundles),
            own_roots=await in_thread(self._own_roots, request.root_version),
        )

    def _get(self, record_id: str) -> record_pb2.StoredRecord:
        with self._node.store.read() as session:
            [held] = held_records(session, [find_record(session, record_id)])
        return held_record_to_proto(held)

    def _search(
        self, request: pb.SearchRecordsRequest, limit: StatementLimit
    ) -> pb.SearchRecordsResponse:
        wanted, order = filter_from_proto(request.filter), order_from_proto(request.order)
        with self._node.store.read() as session, limit.bound(session):
            rows, token = search_records(
                session, wanted, request.page_size, request.page_token, order
            )
            records = held_records(session, rows)
        return pb.SearchRecordsResponse(
            records=[held_record_to_proto(held) for held in records], next_page_token=token
        )

    def _roots(self, bundles: Sequence[TrustBundle]) -> list[bytes]:
        with self._node.store.read() as session:
            found = [newest_root(session, bundle.institute) for bundle in bundles]
        pairs = zip(found, bundles, strict=True)
        return [root.document for root, bundle in pairs if root and root.profile == bundle]

    def _own_roots(self, version: int) -> list[bytes]:
        if version == 0:
            return []
        with self._node.store.read() as session:
            return page_after(session, self._node.institute, version)

    def _newest(self) -> int:
        with self._node.store.read() as session:
            return last_number(session, RecordRow.record_seq)

    def _arrived(
        self, wanted: RecordFilter, after: int, limit: StatementLimit
    ) -> tuple[int, list[pb.WatchRecordsResponse]]:
        """Return what arrived after a row number, and the row number of the last of it."""
        with self._node.store.read() as session, limit.bound(session):
            records = held_records(session, records_after(session, wanted, after, WATCH_PAGE))
        responses = [
            pb.WatchRecordsResponse(
                record=held_record_to_proto(held), page_token=make_page_token(held.record_seq)
            )
            for held in records
        ]
        return (records[-1].record_seq if records else after), responses
