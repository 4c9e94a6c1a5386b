"""A node that is not what it should be, for clients to notice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
from cryptography.hazmat.primitives.serialization import Encoding

from comity.client import Profile
from comity.node.home.certificate_authority import Authority
from comity.record.bundle import JsonWebKey, PublicRecordKey, SpiffeBundle, TrustBundle
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.spiffe import Role, SpiffeId
from comity.record.wire import record_to_proto
from comity.v1 import record_pb2, records_service_pb2, records_service_pb2_grpc

UK = "uk.aisi.example"
ADA = SpiffeId(UK, Role.ANALYST, "ada")


class FakeInstitute:
    """A CA and a record key, and the bundle that speaks of them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.authority = Authority.create(name)
        self.key = SigningKey.generate()

    def bundle(self, address: str = "127.0.0.1:1") -> TrustBundle:
        """Return the bundle of the institute, whose node listens on this address."""
        certificate = self.authority.certificate
        authority = JsonWebKey.of(certificate, certificate.public_bytes(Encoding.DER))
        key = PublicRecordKey(keyid=self.key.key.keyid, public_key=self.key.key.pem)
        return TrustBundle(
            institute=self.name,
            names={"en": self.name},
            address=address,
            spiffe=SpiffeBundle(keys=(authority,)),
            record_keys=(key,),
        )

    def profile(self, address: str, **issue: Any) -> Profile:
        """Return the profile of an analyst of the institute."""
        svid = self.authority.issue(ADA, **issue)
        certificate, key = svid.certificate.decode(), svid.private_key.decode()
        return Profile(ADA, self.bundle(address), certificate, key)


class FakeNode(records_service_pb2_grpc.RecordsServiceServicer):
    """A node that answers whatever a test wants it to."""

    def __init__(self, *records: Record) -> None:
        self.records = records
        self.bundles: list[Sequence[TrustBundle]] = []

    async def ListBundles(  # noqa: N802
        self, request: records_service_pb2.ListBundlesRequest, context: object
    ) -> records_service_pb2.ListBundlesResponse:
        known = self.bundles.pop(0) if len(self.bundles) > 1 else self.bundles[0]
        return records_service_pb2.ListBundlesResponse(bundles=[b.to_json() for b in known])

    async def GetRecord(  # noqa: N802
        self, request: records_service_pb2.GetRecordRequest, context: object
    ) -> records_service_pb2.GetRecordResponse:
        return records_service_pb2.GetRecordResponse(record=stored(self.records[0]))

    async def SearchRecords(  # noqa: N802
        self, request: records_service_pb2.SearchRecordsRequest, context: object
    ) -> records_service_pb2.SearchRecordsResponse:
        """Serve one record a page."""
        at = int(request.page_token or 0)
        token = str(at + 1) if at + 1 < len(self.records) else ""
        return records_service_pb2.SearchRecordsResponse(
            records=[stored(self.records[at])], next_page_token=token
        )

    def WatchRecords(self, request: object, context: object) -> Any:  # noqa: N802
        raise NotImplementedError

    def PublishRecord(self, request: object, context: object) -> Any:  # noqa: N802
        raise NotImplementedError


def stored(record: Record) -> record_pb2.StoredRecord:
    """Return a record as uk's node would give it out."""
    return record_pb2.StoredRecord(record=record_to_proto(record), origin=UK)


@asynccontextmanager
async def faked(
    uk: FakeInstitute,
    fake: FakeNode,
    *,
    by: FakeInstitute | None = None,
    role: SpiffeId | None = None,
) -> AsyncIterator[str]:
    """Serve a fake node of ``uk`` over mutual TLS, certified ``by`` another CA or for a person."""
    authority = (by or uk).authority
    svid = authority.issue(role or SpiffeId(authority.institute, Role.NODE))
    server = grpc.aio.server()
    records_service_pb2_grpc.add_RecordsServiceServicer_to_server(fake, server)

    credentials = grpc.ssl_server_credentials(
        [(svid.private_key, svid.certificate)],
        uk.authority.certificate.public_bytes(Encoding.PEM),
        require_client_auth=True,
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    address = f"127.0.0.1:{port}"

    fake.bundles = fake.bundles or [[uk.bundle(address)]]
    try:
        yield address
    finally:
        await server.stop(None)
