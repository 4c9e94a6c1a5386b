"""RecordsService: publishing, reading, searching and watching."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from sqlmodel import Session, select

from comity.node.database.clock import to_timestamp
from comity.node.database.cursors import make_page_token, read_page_token
from comity.node.database.rows import last_number
from comity.node.database.tables import RecordRow
from comity.node.node import Node
from comity.node.records.search import NEWEST, arrived, disclosures_of, find_record, search
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import Bell
from comity.node.trust.root_chains import newest_root, page_after
from comity.record.bundle import TrustBundle
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.record import Record
from comity.record.wire import record_from_proto, record_to_proto
from comity.v1 import record_pb2
from comity.v1 import records_service_pb2 as pb
from comity.v1 import records_service_pb2_grpc as rpc

WATCH_PAGE: Final = 32
"""Records that a watch reads at a time."""


class RecordsServicer(rpc.RecordsServiceServicer):
    """For the people of this institute."""

    def __init__(self, node: Node, bell: Bell, stopping: asyncio.Event) -> None:
        self._node, self._bell, self._stopping = node, bell, stopping

    async def PublishRecord(  # noqa: N802
        self, request: pb.PublishRecordRequest, context: Any
    ) -> pb.PublishRecordResponse:
        """Store, log and release."""
        record = record_from_proto(request.record)
        published = await in_thread(self._node.publish, record)
        self._bell.ring()
        return pb.PublishRecordResponse(
            record_id=published.record_id,
            log_index=published.log_index,
            already_stored=published.already_stored,
        )

    async def GetRecord(  # noqa: N802
        self, request: pb.GetRecordRequest, context: Any
    ) -> pb.GetRecordResponse:
        """Return one record."""

        def get() -> record_pb2.StoredRecord:
            with self._node.store.read() as session:
                return _stored(session, [find_record(session, request.record_id)])[0]

        return pb.GetRecordResponse(record=await in_thread(get))

    async def SearchRecords(  # noqa: N802
        self, request: pb.SearchRecordsRequest, context: Any
    ) -> pb.SearchRecordsResponse:
        """Return a page."""

        def run() -> pb.SearchRecordsResponse:
            (before,) = read_page_token(request.page_token, NEWEST)
            with self._node.store.read() as session:
                rows, token = search(session, request.filter, request.page_size, before)
                records = _stored(session, rows)
            return pb.SearchRecordsResponse(records=records, next_page_token=token)

        return await in_thread(run)

    async def WatchRecords(  # noqa: N802
        self, request: pb.WatchRecordsRequest, context: Any
    ) -> AsyncIterator[pb.WatchRecordsResponse]:
        """Stream what arrives, until the caller or the node ends it."""
        (after,) = read_page_token(request.page_token, await in_thread(self._newest))
        await context.send_initial_metadata(())
        while not self._stopping.is_set():
            heard = self._bell.rings
            found = await in_thread(self._arrived, request.filter, after)
            for after, record in found:
                token = make_page_token(after)
                yield pb.WatchRecordsResponse(record=record, page_token=token)
            if not found:
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
        self, wanted: pb.RecordFilter, after: int
    ) -> list[tuple[int, record_pb2.StoredRecord]]:
        with self._node.store.read() as session:
            rows = arrived(session, wanted, after, WATCH_PAGE)
            return list(zip((r.record_seq for r in rows), _stored(session, rows), strict=True))


def _stored(session: Session, rows: Sequence[RecordRow]) -> list[record_pb2.StoredRecord]:
    disclosures = disclosures_of(session, [row.record_seq for row in rows])
    later = select(RecordRow.supersedes, RecordRow.issuer, RecordRow.record_id)
    ids = [row.record_id for row in rows if row.superseded]
    later = later.where(RecordRow.supersedes.in_(ids)).order_by(RecordRow.record_seq)
    superseded_by: dict[tuple[str | None, str], list[str]] = {}
    for superseded, issuer, record_id in session.exec(later):
        superseded_by.setdefault((superseded, issuer), []).append(record_id)
    return [
        record_pb2.StoredRecord(
            record=record_to_proto(
                Record(
                    Envelope(STATEMENT_TYPE, row.payload, row.keyid, row.signature),
                    tuple(disclosures[row.record_seq]),
                )
            ),
            origin=row.origin,
            received_time=to_timestamp(row.received_time),
            superseded_by=superseded_by.get((row.record_id, row.issuer), []),
        )
        for row in rows
    ]
