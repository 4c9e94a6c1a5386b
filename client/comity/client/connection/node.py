"""A connection to one's own node, for analysts, auditors and operators.

    async with connect() as node:
        async for result in node.search(model="llama", min_severity="high"):
            print(result.record_id, result.opened.statement.issuer)

Invariants: every record is verified here, with the trust bundles of this institute and of the peers
that it pinned, before a caller sees it; a record that fails raises and is never skipped, and one
whose key was revoked since says so, unless the issuer's log shows that it is older; the node must
show the very keys that the profile has pinned, or that its root leads to.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar, Unpack

import grpc

from comity.client.connection.channel import answer, open_channel, told
from comity.client.connection.log_client import LogClient
from comity.client.connection.profile import Profile
from comity.client.connection.profile_store import ProfileStore
from comity.client.connection.results import Filter, Page, Result, SignedReceipt
from comity.record.bundle import Keyring, TrustBundle
from comity.record.errors import (
    BadBundle,
    ComityError,
    NotFound,
    RevokedKey,
    Unavailable,
    UnknownKey,
)
from comity.record.receipt import open_receipt
from comity.record.record import OpenedRecord, Record, open_record
from comity.record.revocation import check_revocation, revoked_from
from comity.record.root import Root, first
from comity.record.tlog_proof import TlogProof
from comity.record.wire import envelope_from_proto, record_from_proto, record_to_proto
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


class _Paged(Protocol):
    @property
    def next_page_token(self) -> str: ...


_P = TypeVar("_P", bound=_Paged)


@asynccontextmanager
async def connect(profile: Profile | Path | str | None = None) -> AsyncIterator[Node]:
    """Connect to the node of a profile: the profile itself, its path or name, or the current one.

    Raises:
        NotFound, BadConfig: no such profile, or one that has expired.
        Unavailable, Unauthenticated, Forbidden: the node cannot be reached, or refuses.
        BadBundle, BadRoot: the node shows other keys than the profile has pinned or leads to.
    """
    chosen = profile if isinstance(profile, Profile) else ProfileStore().open(profile)
    chosen.check_current(datetime.now(UTC))
    certificate, private_key = chosen.certificate.encode(), chosen.private_key.encode()
    async with open_channel(chosen.bundle, certificate, private_key) as channel:
        node = Node(channel, chosen)
        await node.refresh_bundles()
        if node.profile != chosen:
            ProfileStore().update(node.profile)
        yield node


class Node:
    """A node, as its people see it; made by ``connect``.

    Every method raises what the node answers, as errors of the tree, and Unavailable where it
    does not. Methods that return records raise what ``open_record`` raises.
    """

    def __init__(self, channel: grpc.aio.Channel, profile: Profile) -> None:
        self.profile = profile
        self._records = records_service_pb2_grpc.RecordsServiceStub(channel)
        self._audit = audit_service_pb2_grpc.AuditServiceStub(channel)
        self._admin = admin_service_pb2_grpc.AdminServiceStub(channel)
        self.log = LogClient(channel, profile.bundle)
        self.bundles: tuple[TrustBundle, ...] = (profile.bundle,)
        self.former_bundles: tuple[TrustBundle, ...] = ()
        self.roots: tuple[Root, ...] = ()
        self.keyring = Keyring(self.bundles)
        self._silent: dict[str, ComityError] = {}

    async def refresh_bundles(self) -> None:
        """Read anew which institutes' keys the node trusts; ``bundles`` has its own first.

        Records that were taken in from a peer that was removed since are verified with its former
        bundle, one of ``former_bundles``. ``roots`` say until when some of the bundles hold. The
        profile follows its institute's root.

        Raises:
            BadBundle, BadRoot: malformed, or its own is not the pinned one.
        """
        root = self.profile.root
        request = records_service_pb2.ListBundlesRequest(root_version=root.version if root else 0)
        answer = await self._call(self._records.ListBundles(request))
        bundles = tuple(TrustBundle.from_json(data) for data in answer.bundles)
        former = tuple(TrustBundle.from_json(data) for data in answer.former_bundles)
        self.roots = tuple(first(Root.parse(data)) for data in answer.roots)
        self.profile = self.profile.follow(answer.own_roots)
        _check_pinned(bundles, self.profile.bundle)
        self.bundles, self.former_bundles = bundles, former
        self.keyring = Keyring((*bundles, *former))

    async def get(self, record_id: str) -> Result:
        """Return one record by its id, or by a prefix of at least 8 hex digits.

        Raises:
            NotFound: no such record here, or the node answered with another one.
        """
        request = records_service_pb2.GetRecordRequest(record_id=record_id)
        answer = await self._call(self._records.GetRecord(request))
        result = await self._open(answer.record)
        if not result.record_id.startswith(record_id):
            message = f"expected record {record_id:.80}, got {result.record_id}"
            raise NotFound(message, field="record_id")
        return result

    async def search_page(
        self, page_size: int = 0, page_token: str = "", **fields: Unpack[Filter]
    ) -> Page:
        """Return one page, newest arrival first; ``page_size`` is 1 to 256, 0 means 50."""
        request = records_service_pb2.SearchRecordsRequest(
            filter=records_service_pb2.RecordFilter(**fields),
            page_size=page_size,
            page_token=page_token,
        )
        answer = await self._call(self._records.SearchRecords(request))
        results = [await self._open(stored) for stored in answer.records]
        return Page(tuple(results), answer.next_page_token)

    async def search(self, **fields: Unpack[Filter]) -> AsyncGenerator[Result, None]:
        """Yield every record that matches, page after page, newest arrival first."""
        page = Page((), "")
        while True:
            page = await self.search_page(0, page.next_page_token, **fields)
            for result in page.results:
                yield result
            if not page.next_page_token:
                return

    async def watch(
        self, page_token: str = "", **fields: Unpack[Filter]
    ) -> AsyncGenerator[Result, None]:
        """Yield matching records as they arrive, for ever; ``page_token`` of a result resumes."""
        request = records_service_pb2.WatchRecordsRequest(
            filter=records_service_pb2.RecordFilter(**fields), page_token=page_token
        )
        call = self._records.WatchRecords(request)
        try:
            async for message in call:
                yield await self._open(message.record, message.page_token)
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
        """Yield what was released, newest first, to all peers or to one."""
        make = partial(audit_service_pb2.ListReleasesRequest, peer=peer, record_id=record_id)
        async for page in self._pages(
            lambda token: self._audit.ListReleases(make(page_token=token))
        ):
            for release in page.releases:
                yield release

    async def receipts(self, peer: str = "") -> AsyncIterator[SignedReceipt]:
        """Yield the receipts that peers signed, newest first, each checked against its peer."""
        make = partial(audit_service_pb2.ListReceiptsRequest, peer=peer)
        async for page in self._pages(
            lambda token: self._audit.ListReceipts(make(page_token=token))
        ):
            for stored in page.receipts:
                yield self._read_receipt(stored)

    async def quarantine(
        self, peer: str = ""
    ) -> AsyncIterator[audit_service_pb2.QuarantinedRecord]:
        """Yield what was refused from peers, newest first."""
        make = partial(audit_service_pb2.ListQuarantineRequest, peer=peer)
        async for page in self._pages(
            lambda token: self._audit.ListQuarantine(make(page_token=token))
        ):
            for refused in page.records:
                yield refused

    async def status(self) -> admin_service_pb2.GetStatusResponse:
        """Return how the node is. Operators and auditors."""
        request = admin_service_pb2.GetStatusRequest()
        return await self._call(self._admin.GetStatus(request))

    async def explain(self, peer: str, record_id: str) -> admin_service_pb2.ExplainPolicyResponse:
        """Return why each part of a record is given to a peer, or is not."""
        request = admin_service_pb2.ExplainPolicyRequest(peer=peer, record_id=record_id)
        return await self._call(self._admin.ExplainPolicy(request))

    async def _open(self, stored: record_pb2.StoredRecord, page_token: str = "") -> Result:
        record = record_from_proto(stored.record)
        try:
            opened = open_record(record, self.keyring.find)
        except UnknownKey:
            # a peer may have been pinned since we asked
            await self.refresh_bundles()
            opened = open_record(record, self.keyring.find)
        received, later = stored.received_time.ToDatetime(UTC), tuple(stored.superseded_by)
        problem = await self._problem(opened)
        return Result(opened, stored.origin, received, later, page_token, problem)

    async def _problem(self, opened: OpenedRecord) -> str:
        issuer, keyid = opened.statement.issuer.institute, opened.record.envelope.keyid
        bundle = self.keyring.bundle(issuer)
        index = revoked_from(bundle, keyid)
        if index is None:
            return ""
        try:
            proof = await self._inclusion(opened.record_id, issuer)
            check_revocation(replace(opened.record, inclusion=proof.to_bytes()), bundle)
        except RevokedKey as error:
            return str(error)
        except ComityError as error:
            told = f"{keyid} is revoked from index {index} of its log"
            return f"{told}, and that this record is older cannot be shown: {error}"
        return ""

    async def _inclusion(self, record_id: str, issuer: str) -> TlogProof:
        # an issuer that does not answer is waited for once, not for each of its records
        if issuer in self._silent:
            raise self._silent[issuer]
        try:
            return await self.log.inclusion(record_id)
        except Unavailable as error:
            self._silent[issuer] = error
            raise

    def _read_receipt(self, stored: audit_service_pb2.StoredReceipt) -> SignedReceipt:
        envelope = envelope_from_proto(stored.envelope)
        when = stored.receipt_time.ToDatetime(UTC)
        try:
            receipt = open_receipt(envelope, self.keyring.find)
        except ComityError as error:
            # a peer that changed its keys signed with one that is not known any more
            return SignedReceipt(stored.peer, envelope, when, None, str(error))
        wrong = receipt.receiver != stored.peer
        problem = f"expected a receipt of {stored.peer}, got one of {receipt.receiver}"
        return SignedReceipt(stored.peer, envelope, when, receipt, problem if wrong else "")

    async def _pages(self, ask: Callable[[str], Awaitable[_P]]) -> AsyncIterator[_P]:
        token = ""
        while True:
            page = await self._call(ask(token))
            yield page
            token = page.next_page_token
            if not token:
                return

    async def _call(self, call: Awaitable[_T]) -> _T:
        return await answer(call, self.profile.bundle)


def _check_pinned(bundles: tuple[TrustBundle, ...], pinned: TrustBundle) -> None:
    own = bundles[0] if bundles else None
    if own is None or own.institute != pinned.institute:
        got = own.institute if own else "none"
        raise BadBundle(f"expected the bundle of {pinned.institute} first, got {got}")
    if own.keys_by_id.keys() != pinned.keys_by_id.keys():
        message = f"expected the keys {sorted(pinned.keys_by_id)}, got {sorted(own.keys_by_id)}"
        hint = "if your institute changed its keys, ask its operator for a new profile"
        raise BadBundle(message, field="recordKeys", hint=hint)
