"""Questions to a peer's node over mutual TLS, outside the stream of records.

Invariant: no answer is believed here. It is bounded in time and size, and its caller verifies it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import grpc

from comity.client.connection.channel import open_channel
from comity.client.connection.grpc_errors import from_peer
from comity.node.release.standing_report import KindReport, StandingReport
from comity.node.replication.ledger import Given, Taken
from comity.node.trust.peers import bundle_of, get_peer
from comity.node.trust.site import Site
from comity.policies.facts import PeerStatus
from comity.record.bundle import TrustBundle
from comity.record.errors import ComityError, NotFound, Unavailable
from comity.record.limits import Limit
from comity.record.tlog_proof import TlogProof
from comity.record.wire import envelope_from_proto
from comity.v1 import audit_service_pb2, audit_service_pb2_grpc
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import exchange_service_pb2_grpc as rpc

QUERY_SECONDS: Final = 30
"""How long a peer may take for one answer."""

MAX_LEDGER_ENTRIES: Final = Limit("MAX_LEDGER_ENTRIES", 100_000, "entries")
"""Entries of a peer's ledger that are read: a peer must not be able to send them for ever."""


class PeerClient:
    """Asks one peer's node questions, each over a connection of its own.

    Making one reads the database and the node's certificate, and blocks for that; the questions
    themselves are asynchronous and touch neither.

    Raises:
        NotFound: there is no such peer, or it was removed.
    """

    def __init__(self, site: Site, peer: str) -> None:
        with site.store.read() as session:
            row = get_peer(session, peer)
        if row.status == PeerStatus.REMOVED:
            raise NotFound(f"{peer} was removed", field="peer")

        self._bundle = bundle_of(row)
        self._identity = site.home.node_identity()

    async def standing(self) -> StandingReport:
        """Return how the peer sees this institute.

        Raises:
            Unavailable: it cannot be reached, or does not answer within QUERY_SECONDS.
            ComityError: it refuses, with its reason.
        """
        async with self._channel() as channel:
            stub = rpc.ExchangeServiceStub(channel)
            answer = await stub.GetStanding(pb.GetStandingRequest(), timeout=QUERY_SECONDS)
        return _read_standing(answer)

    async def ledger(self) -> tuple[list[Given], list[Taken]]:
        """Return the peer's ledger with this institute: what it gave us, and what it took.

        Raises: as ``standing``; also
            LimitExceeded: more than MAX_LEDGER_ENTRIES.
            MalformedEnvelope: a receipt without exactly one signature.
        """
        entries: list[pb.LedgerEntry] = []
        token = ""
        async with self._channel() as channel:
            stub = rpc.ExchangeServiceStub(channel)
            while True:
                request = pb.ListLedgerRequest(page_token=token)
                page = await stub.ListLedger(request, timeout=QUERY_SECONDS)
                entries.extend(page.entries)
                MAX_LEDGER_ENTRIES.check(len(entries), "ledger")

                # a peer that names a next page but sends empty ones would keep us asking
                token = page.next_page_token
                if not token or not page.entries:
                    break

        given = [_read_given(entry.given) for entry in entries if entry.HasField("given")]
        return given, [_read_taken(entry.taken) for entry in entries if entry.HasField("taken")]

    async def inclusion_proof(self, record_id: str) -> TlogProof:
        """Return the proof that the peer shows for a record in its log, unverified.

        Raises: as ``standing``; also
            LimitExceeded, BadProof: not a tlog-proof.
        """
        request = audit_service_pb2.GetInclusionProofRequest(record_id=record_id)
        async with self._channel() as channel:
            stub = audit_service_pb2_grpc.AuditServiceStub(channel)
            answer = await stub.GetInclusionProof(request, timeout=QUERY_SECONDS)
        return TlogProof.parse(answer.proof)

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[grpc.aio.Channel]:
        """Open a channel to the peer; errors of gRPC leave it as those of Comity's tree."""
        async with open_channel(self._bundle, *self._identity) as channel:
            try:
                yield channel
            except grpc.RpcError as error:
                raise _told(error, self._bundle) from error


def _told(error: grpc.RpcError, bundle: TrustBundle) -> ComityError:
    """Return an error of gRPC as the peer meant it, or with a hint if the peer was not reached."""
    found = from_peer(error, bundle.institute)
    if not isinstance(found, Unavailable):
        return found

    message = f"{bundle.institute} at {bundle.address} cannot be reached: {found.message}"
    asked = "is its node up, and are its address and authority still those that are pinned?"
    hint = f"{asked} comity-node peers show {bundle.institute} tells of the last contact"
    return Unavailable(message, field="peer", hint=hint)


def _read_standing(message: pb.GetStandingResponse) -> StandingReport:
    kinds = tuple(
        KindReport(
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
        for kind in message.kinds
    )
    return StandingReport(kinds, message.window_days)


def _read_given(message: pb.Given) -> Given:
    receipt = envelope_from_proto(message.receipt) if message.HasField("receipt") else None
    return Given(message.first_offer, message.last_offer, tuple(message.record_ids), receipt)


def _read_taken(message: pb.Taken) -> Taken:
    return Taken(envelope_from_proto(message.receipt), tuple(message.missing_record_ids))
