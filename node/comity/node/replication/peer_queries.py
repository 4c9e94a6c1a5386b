"""Asking a peer's node a question over mutual TLS, once, from a command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import grpc

from comity.client.connection.channel import open_channel
from comity.client.connection.grpc_errors import from_rpc
from comity.node.replication.ledger import Given, Taken
from comity.node.trust.peers import bundle_of, get_peer
from comity.node.trust.site import Site
from comity.policies.facts import PeerStatus
from comity.record.bundle import TrustBundle
from comity.record.errors import ComityError, NotFound, Unavailable
from comity.record.limits import Limit
from comity.record.tlog_proof import TlogProof
from comity.v1 import audit_service_pb2, audit_service_pb2_grpc
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import exchange_service_pb2_grpc as rpc

ANSWER_SECONDS: Final = 30
"""How long a peer may take for one answer."""

MAX_LEDGER_ENTRIES: Final = Limit("MAX_LEDGER_ENTRIES", 100_000, "entries")
"""Entries that are taken of a peer's ledger: a peer must not be able to tell for ever."""

Answer = TypeVar("Answer")


def ask_standing(site: Site, peer: str) -> pb.GetStandingResponse:
    """Return how a peer sees this institute.

    Raises:
        NotFound: there is no such peer, or it was removed.
        Unavailable: it cannot be reached, or does not answer within ANSWER_SECONDS.
        ComityError: it refuses, with its reason.
    """

    async def question(channel: grpc.aio.Channel) -> pb.GetStandingResponse:
        stub = rpc.ExchangeServiceStub(channel)
        return await stub.GetStanding(pb.GetStandingRequest(), timeout=ANSWER_SECONDS)

    return _ask(site, peer, question)


def ask_ledger(site: Site, peer: str) -> tuple[list[Given], list[Taken]]:
    """Return a peer's ledger with this institute: what it gave us, and what it took.

    Raises: as ``ask_standing``; also
        LimitExceeded: more than MAX_LEDGER_ENTRIES.
        MalformedEnvelope: a receipt without exactly one signature.
    """

    async def question(channel: grpc.aio.Channel) -> list[pb.LedgerEntry]:
        stub = rpc.ExchangeServiceStub(channel)
        entries: list[pb.LedgerEntry] = []
        token = ""
        while True:
            request = pb.ListLedgerRequest(page_token=token)
            page = await stub.ListLedger(request, timeout=ANSWER_SECONDS)
            entries.extend(page.entries)
            MAX_LEDGER_ENTRIES.check(len(entries), "ledger")
            token = page.next_page_token
            if not token or not page.entries:
                return entries

    entries = _ask(site, peer, question)
    given = [Given.from_proto(e.given) for e in entries if e.HasField("given")]
    return given, [Taken.from_proto(e.taken) for e in entries if e.HasField("taken")]


def ask_inclusion(site: Site, peer: str, record_id: str) -> TlogProof:
    """Return what a peer shows for a record's place in its log, unverified.

    Raises: as ``ask_standing``; also
        LimitExceeded, BadProof: not a tlog-proof.
    """

    async def question(channel: grpc.aio.Channel) -> bytes:
        request = audit_service_pb2.GetInclusionProofRequest(record_id=record_id)
        stub = audit_service_pb2_grpc.AuditServiceStub(channel)
        return (await stub.GetInclusionProof(request, timeout=ANSWER_SECONDS)).proof

    return TlogProof.parse(_ask(site, peer, question))


def _ask(
    site: Site, peer: str, question: Callable[[grpc.aio.Channel], Awaitable[Answer]]
) -> Answer:
    with site.store.read() as session:
        row = get_peer(session, peer)
    if row.status == PeerStatus.REMOVED:
        raise NotFound(f"{peer} was removed", field="peer")

    bundle = bundle_of(row)

    async def converse() -> Answer:
        async with open_channel(bundle, *site.home.node_identity()) as channel:
            try:
                return await question(channel)
            except grpc.RpcError as error:
                raise _told(error, bundle) from error

    return asyncio.run(converse())


def _told(error: grpc.RpcError, bundle: TrustBundle) -> ComityError:
    found = from_rpc(error)
    if not isinstance(found, Unavailable):
        return found
    message = f"{bundle.institute} at {bundle.address} cannot be reached: {found.message}"
    asked = "is its node up, and are its address and authority still those that are pinned?"
    hint = f"{asked} comity-node peers show {bundle.institute} tells of the last contact"
    return Unavailable(message, field="peer", hint=hint)
