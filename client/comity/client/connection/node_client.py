"""A client of one's own node, for analysts, auditors and operators.

    async with connect() as node:
        async for result in node.search(models=["llama"], min_severity="high"):
            print(result.record_id, result.opened.statement.issuer)

Invariants:

- The client verifies every record before a caller sees it, with the bundles of this institute and
  of the peers that it has pinned.
- A record that fails raises and is never skipped. If its key was revoked since, the result says so,
  unless the issuer's log shows that the record is older (``revoked_keys``).
- The node must show the keys that the profile pins, or those that the profile's root leads to.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar, Unpack

import grpc

from comity.client.connection.channel import answer, open_channel, told
from comity.client.connection.log_client import LogClient
from comity.client.connection.paging import answer_pages
from comity.client.connection.profile import Profile
from comity.client.connection.profile_store import ProfileStore
from comity.client.connection.results import (
    Filter,
    Page,
    Result,
    SignedReceipt,
    filter_to_proto,
    search_request,
    with_matches,
)
from comity.client.connection.revoked_keys import RevokedKeys
from comity.record.bundle import Keyring, TrustBundle
from comity.record.errors import NotFound, UnknownKey
from comity.record.record import OpenedRecord, Record, open_record
from comity.record.root import Root, first
from comity.record.wire import envelope_from_proto, record_from_proto, record_to_proto
from comity.record.withdrawal import Withdrawal, open_withdrawal
from comity.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    audit_service_pb2,
    audit_service_pb2_grpc,
    record_pb2,
    records_service_pb2,
    records_service_pb2_grpc,
)

_T = TypeVar("_T")


@asynccontextmanager
async def connect(profile: Profile | Path | str | None = None) -> AsyncIterator[NodeClient]:
    """Connect to the node of a profile: the profile itself, its path or name, or the current one.

    Raises:
        NotFound, BadConfig: there is no such profile, or it has expired.
        Unavailable, Unauthenticated, Forbidden: the node cannot be reached, or refuses.
        BadBundle, BadRoot: the node shows other keys than the profile pins or leads to.
    """
    chosen = profile if isinstance(profile, Profile) else ProfileStore().open(profile)
    chosen.check_current(datetime.now(UTC))

    certificate, private_key = chosen.certificate.encode(), chosen.private_key.encode()
    async with open_channel(chosen.bundle, certificate, private_key) as channel:
        node = NodeClient(channel, chosen)
        await node.refresh_bundles()
        # the institute's root has a newer version, which the next connection starts from
        if node.profile != chosen:
            ProfileStore().update(node.profile)
        yield node


class NodeClient:
    """A node, as its own people see it. ``connect`` makes one.

    Every method raises the error that the node answers with, and Unavailable if there is no answer.
    Methods that return records raise what ``open_record`` raises.
    """

    def __init__(self, channel: grpc.aio.Channel, profile: Profile) -> None:
        self.profile = profile
        self._records = records_service_pb2_grpc.RecordsServiceStub(channel)
        self._audit = audit_service_pb2_grpc.AuditServiceStub(channel)
        self._admin = admin_service_pb2_grpc.AdminServiceStub(channel)
        self.log = LogClient(channel, profile.bundle)
        self._revoked_keys = RevokedKeys(self.log)

        self.bundles: tuple[TrustBundle, ...] = (profile.bundle,)
        self.former_bundles: tuple[TrustBundle, ...] = ()
        self.roots: tuple[Root, ...] = ()
        self.keyring = Keyring(self.bundles)

    async def refresh_bundles(self) -> None:
        """Read anew which bundles the node trusts.

        ``bundles`` begins with the node's own. ``former_bundles`` are those of removed peers, which
        verify the records that came from them. ``roots`` say until when some bundles hold. The
        profile follows its institute's root.

        Raises:
            BadBundle, BadRoot: one is malformed, or the node's own is not the pinned one.
        """
        root = self.profile.root
        request = records_service_pb2.ListBundlesRequest(root_version=root.version if root else 0)
        answer = await self._call(self._records.ListBundles(request))

        # nothing is kept unless all of it holds
        bundles = tuple(TrustBundle.from_json(data) for data in answer.bundles)
        former = tuple(TrustBundle.from_json(data) for data in answer.former_bundles)
        roots = tuple(first(Root.parse(data)) for data in answer.roots)
        profile = self.profile.follow(answer.own_roots)
        profile.check_pinned(bundles)

        self.profile, self.roots = profile, roots
        self.bundles, self.former_bundles = bundles, former
        self.keyring = Keyring((*bundles, *former))

    async def get(self, record_id: str) -> Result:
        """Return one record by its id, or by a prefix of at least 8 hex digits.

        Raises:
            NotFound: the node does not hold the record, or answered with another one.
        """
        request = records_service_pb2.GetRecordRequest(record_id=record_id)
        answer = await self._call(self._records.GetRecord(request))
        result = await self._open(answer.record)
        if not result.record_id.startswith(record_id):
            message = f"expected record {record_id:.80}, got {result.record_id}"
            raise NotFound(message, field="record_id")
        return result

    async def search_page(
        self,
        page_size: int = 0,
        page_token: str = "",
        *,
        newest_first: bool = False,
        **fields: Unpack[Filter],
    ) -> Page:
        """Return a page of 1 to 256 records; 0 means 50. ``search_request`` has their order."""
        request = search_request(fields, page_size, page_token, newest_first=newest_first)
        answer = await self._call(self._records.SearchRecords(request))
        results = [await self._open(stored) for stored in answer.records]
        return Page(tuple(with_matches(r, fields) for r in results), answer.next_page_token)

    async def search(self, **fields: Unpack[Filter]) -> AsyncGenerator[Result, None]:
        """Yield every record that matches, page after page, as ``search_page`` orders them."""
        token = ""
        while True:
            page = await self.search_page(0, token, **fields)
            for result in page.results:
                yield result
            if not (token := page.next_page_token):
                return

    async def watch(
        self, page_token: str = "", **fields: Unpack[Filter]
    ) -> AsyncGenerator[Result, None]:
        """Yield matching records as they arrive, without end.

        The ``page_token`` of a result resumes after that result.
        """
        wanted = filter_to_proto(fields)
        request = records_service_pb2.WatchRecordsRequest(filter=wanted, page_token=page_token)

        # a stream may last for ever, so it is not awaited with a timeout
        call = self._records.WatchRecords(request)
        try:
            async for message in call:
                result = await self._open(message.record, message.page_token)
                yield with_matches(result, fields)
        except grpc.aio.AioRpcError as error:
            raise told(error, self.profile.bundle) from error
        finally:
            call.cancel()

    async def publish(self, record: Record) -> records_service_pb2.PublishRecordResponse:
        """Publish a record of this institute; on return it is on disk and in the log."""
        request = records_service_pb2.PublishRecordRequest(record=record_to_proto(record))
        return await self._call(self._records.PublishRecord(request))

    async def releases(
        self, peer: str = "", record_id: str = ""
    ) -> AsyncIterator[audit_service_pb2.Release]:
        """Yield what the node released, newest first; empty ``peer`` means all peers."""
        request = audit_service_pb2.ListReleasesRequest(peer=peer, record_id=record_id)
        async for page in answer_pages(self._audit.ListReleases, request, self.profile.bundle):
            for release in page.releases:
                yield release

    async def receipts(self, peer: str = "") -> AsyncIterator[SignedReceipt]:
        """Yield the receipts that peers signed, newest first, each checked against its peer."""
        request = audit_service_pb2.ListReceiptsRequest(peer=peer)
        async for page in answer_pages(self._audit.ListReceipts, request, self.profile.bundle):
            for stored in page.receipts:
                yield SignedReceipt.check(stored, self.keyring.find)

    async def quarantine(
        self, peer: str = ""
    ) -> AsyncIterator[audit_service_pb2.QuarantinedRecord]:
        """Yield the records that the node refused from peers, newest first."""
        request = audit_service_pb2.ListQuarantineRequest(peer=peer)
        async for page in answer_pages(self._audit.ListQuarantine, request, self.profile.bundle):
            for refused in page.records:
                yield refused

    async def status(self) -> admin_service_pb2.GetStatusResponse:
        """Return the node's status, for operators and auditors."""
        request = admin_service_pb2.GetStatusRequest()
        return await self._call(self._admin.GetStatus(request))

    async def explain(self, peer: str, record_id: str) -> admin_service_pb2.ExplainPolicyResponse:
        """Return for each part of a record why a peer is given it, or why not."""
        request = admin_service_pb2.ExplainPolicyRequest(peer=peer, record_id=record_id)
        return await self._call(self._admin.ExplainPolicy(request))

    async def _open(self, stored: record_pb2.StoredRecord, page_token: str = "") -> Result:
        record = record_from_proto(stored.record)
        try:
            opened = open_record(record, self.keyring.find)
        except UnknownKey:
            # the node may have pinned a peer since the bundles were read
            await self.refresh_bundles()
            opened = open_record(record, self.keyring.find)

        issuer = self.keyring.bundle(opened.statement.issuer.institute)
        problem = await self._revoked_keys.problem(opened, issuer)
        received, later = stored.received_time.ToDatetime(UTC), tuple(stored.superseded_by)
        withdrawal = self._withdrawal(stored, opened)
        return Result(opened, stored.origin, received, later, page_token, problem, withdrawal)

    def _withdrawal(
        self, stored: record_pb2.StoredRecord, opened: OpenedRecord
    ) -> Withdrawal | None:
        # the key of a notice may have been revoked since: what was taken back stays taken back
        if not stored.HasField("withdrawal"):
            return None
        return open_withdrawal(envelope_from_proto(stored.withdrawal), opened, self.keyring.find)

    async def _call(self, call: Awaitable[_T]) -> _T:
        return await answer(call, self.profile.bundle)
