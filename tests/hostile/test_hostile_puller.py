"""Peers that pull and do not keep to the protocol: bad cursors, forged receipts, many calls.

The puller is a gRPC client with the real certificate of a pinned institute.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from comity.client.connection.grpc_errors import from_rpc
from comity.node.database.cursors import make_cursor, read_cursor
from comity.node.database.owner import epoch_of
from comity.node.database.tables import ReceiptRow
from comity.node.home.certificate_authority import Svid
from comity.node.replication import outbox
from comity.node.server import shares
from comity.node.server.services.outgoing_stream import WINDOW
from comity.policies.facts import PeerStatus
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.errors import Unavailable
from comity.record.keys import SigningKey
from comity.record.limits import MAX_CURSOR_CHARS, Limit
from comity.record.receipt import Receipt, Rejected
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import exchange_service_pb2_grpc
from tests.support.hostile_calls import CA, calling, info_of, refusal
from tests.support.network import PATIENCE_SECONDS, make_home, run, until
from tests.support.pulling_peer import Puller, ended, pulling, receipt_for, sent, start

OTHER_LIFE = "f" * 32


def test_a_cursor_that_cannot_be_served_is_refused_with_its_reason(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with pulling(tmp_path, cards=1) as ca:
            with ca.uk.node.store.read() as session:
                epoch = epoch_of(session)
            expected = {
                "not a cursor": "BAD_CURSOR",
                "\U0001f4a3": "BAD_CURSOR",
                make_cursor(epoch, 10**18): "BAD_CURSOR",
                "A" * (MAX_CURSOR_CHARS + 1): "LIMIT_EXCEEDED",
                make_cursor(OTHER_LIFE, 1): "EPOCH_CHANGED",
                make_cursor(epoch, 4): "FUTURE_CURSOR",
            }
            for cursor, reason in expected.items():
                info = await ca.refused(start(cursor))
                assert (info.reason, info.metadata["field"]) == (reason, "cursor"), cursor
                if reason in ("EPOCH_CHANGED", "FUTURE_CURSOR"):
                    assert "start again without a cursor" in info.metadata["hint"]
            assert read_cursor(make_cursor(epoch, 3), epoch, 3) == 3

    run(scenario())


def test_a_stream_begins_with_start_and_goes_on_with_receipts(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with pulling(tmp_path, cards=1) as ca:
            receipt = pb.ReplicateRequest(receipt=pb.Receipt())
            for first in ([], [pb.ReplicateRequest()], [receipt]):
                info = await ca.refused(*first)
                assert (info.reason, info.metadata["field"]) == ("INVALID_INPUT", "message")
            for second in (start(""), pb.ReplicateRequest()):
                assert (await ca.refused(start(""), second)).reason == "BAD_RECEIPT"
            garbage: grpc.aio.StreamStreamMultiCallable[bytes, bytes]
            garbage = ca.line.stream_stream("/comity.v1.ExchangeService/Replicate")
            call = garbage()
            await call.write(b"\xff\xff")
            assert (await ended(call)).reason == "INVALID_INPUT"

    run(scenario())


def resigned(**changes: Any) -> Callable[[Receipt, SigningKey], Envelope]:
    return lambda receipt, key: receipt.model_copy(update=changes).sign(key)


FORGERIES: dict[str, tuple[Callable[[Receipt, SigningKey], Envelope], str, str]] = {
    "signed by a key that nobody knows": (
        lambda receipt, _: receipt.sign(SigningKey.generate()),
        "UNKNOWN_KEY",
        "signatures[0].keyid",
    ),
    "signed by another key than it says": (
        lambda receipt, key: replace(receipt.sign(SigningKey.generate()), keyid=key.key.keyid),
        "BAD_SIGNATURE",
        "signatures[0].sig",
    ),
    "of the type of a record": (
        lambda receipt, key: Envelope.sign(STATEMENT_TYPE, receipt.sign(key).payload, key),
        "MALFORMED_ENVELOPE",
        "payloadType",
    ),
    "for another receiver": (resigned(receiver="fr.example"), "BAD_RECEIPT", "receipt.receiver"),
    "for another sender": (resigned(sender="fr.example"), "BAD_RECEIPT", "receipt.sender"),
    "for records that were not sent": (
        resigned(stored=("0" * 64,)),
        "BAD_RECEIPT",
        "receipt.stored",
    ),
    "for no records": (resigned(stored=()), "BAD_RECEIPT", "receipt.stored"),
    "that counts a record twice": (
        lambda receipt, key: receipt.model_copy(
            update={"rejected": (Rejected(record=receipt.stored[0], reason="X"),)}
        ).sign(key),
        "BAD_RECEIPT",
        "receipt.stored",
    ),
    "up to a cursor of another life": (
        resigned(cursor=make_cursor(OTHER_LIFE, 1)),
        "EPOCH_CHANGED",
        "cursor",
    ),
    "up to no cursor": (resigned(cursor="nonsense"), "BAD_CURSOR", "cursor"),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_receipt_counts_only_if_it_is_the_peers_and_fits(tmp_path: Path, what: str) -> None:
    forge, reason, field = FORGERIES[what]

    async def scenario() -> None:
        async with pulling(tmp_path, cards=1) as ca:
            call = await ca.start()
            honest = receipt_for(await ca.batch(call))
            await call.write(sent(forge(honest, ca.home.record_key())))
            info = await ended(call)
            assert (info.reason, info.metadata["field"]) == (reason, field)
            assert (ca.receipted, ca.uk.rows(ReceiptRow)) == (0, [])

    run(scenario())


def test_receipts_count_in_order_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_BATCH_RECORDS", 1)

    async def scenario() -> None:
        async with pulling(tmp_path, cards=2) as ca:
            key = ca.home.record_key()
            call = await ca.start()
            first, second = [receipt_for(await ca.batch(call)) for _ in range(2)]
            await call.write(sent(second.sign(key)))
            info = await ended(call)
            assert (info.reason, info.metadata["field"]) == (
                "BAD_RECEIPT",
                "receipt.previousCursor",
            )
            call = await ca.start()
            for receipt in (first, first, second, first):
                await call.write(sent(receipt.sign(key)))
            await until(lambda: ca.receipted == 6, "both receipts")
            assert len(ca.uk.rows(ReceiptRow)) == 2

    run(scenario())


def test_a_peer_without_receipts_gets_a_window_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_BATCH_RECORDS", 1)

    async def scenario() -> None:
        async with pulling(tmp_path, cards=WINDOW + 2) as ca:
            call = await ca.start()
            batches = [await ca.batch(call) for _ in range(WINDOW)]
            assert (await call.read()).WhichOneof("message") == "heartbeat"
            await call.write(sent(receipt_for(batches[0]).sign(ca.home.record_key())))
            assert await ca.batch(call)

    run(scenario())


def test_a_peer_suspended_in_mid_stream_gets_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_BATCH_RECORDS", 1)

    async def scenario() -> None:
        async with pulling(tmp_path, cards=WINDOW + 1) as ca:
            call = await ca.start()
            batches = [await ca.batch(call) for _ in range(WINDOW)]
            await asyncio.to_thread(ca.uk.node.set_peer_status, CA, PeerStatus.SUSPENDED)
            # the node may have noticed before the receipt is written
            with contextlib.suppress(asyncio.InvalidStateError):
                await call.write(sent(receipt_for(batches[0]).sign(ca.home.record_key())))
            assert (await ended(call)).reason == "FORBIDDEN"
            assert (await ca.refused(start(""))).reason == "FORBIDDEN"
            standing = ca.stub.GetStanding(pb.GetStandingRequest())
            assert (await refusal(standing)).reason == "FORBIDDEN"
            assert await ca.stub.ListLedger(pb.ListLedgerRequest())

    run(scenario())


def test_a_removed_peer_is_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with pulling(tmp_path, cards=1) as ca:
            call = await ca.start()
            await ca.batch(call)
            await asyncio.to_thread(ca.uk.node.set_peer_status, CA, PeerStatus.REMOVED)
            assert (await ended(call)).reason == "FORBIDDEN"
            assert (await refusal(ca.stub.GetStanding(pb.GetStandingRequest()))).reason == (
                "UNAUTHENTICATED"
            )
            async with calling(ca.uk.node.bundle, Svid(*ca.home.node_identity())) as anew:
                stub = exchange_service_pb2_grpc.ExchangeServiceStub(anew)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.GetStanding(pb.GetStandingRequest(), timeout=PATIENCE_SECONDS)
                assert isinstance(from_rpc(caught.value), Unavailable)

    run(scenario())


def test_one_peer_cannot_take_every_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "MAX_PEER_CALLS", Limit("MAX_PEER_CALLS", 3, "calls"))

    async def scenario() -> None:
        async with pulling(tmp_path) as ca, AsyncExitStack() as stack:
            streams = [await ca.start() for _ in range(3)]
            info = await refusal(ca.stub.GetStanding(pb.GetStandingRequest()))
            got = (info.reason, info.metadata["limit"], info.metadata["maximum"])
            assert got == ("LIMIT_EXCEEDED", "MAX_PEER_CALLS", "3")
            fr = make_home(tmp_path, "fr.aisi.example")
            await asyncio.to_thread(ca.uk.node.add_peer, fr.bundle())
            other = await stack.enter_async_context(
                calling(ca.uk.node.bundle, Svid(*fr.node_identity()))
            )
            stub = exchange_service_pb2_grpc.ExchangeServiceStub(other)
            assert (await stub.GetStanding(pb.GetStandingRequest())).window_days
            streams[0].cancel()
            while not await is_answered(ca):  # as soon as the node has heard of it
                pass

    run(scenario())


async def is_answered(ca: Puller) -> bool:
    try:
        await ca.stub.GetStanding(pb.GetStandingRequest())
    except grpc.aio.AioRpcError as error:
        return bool(info_of(error).metadata["limit"] != "MAX_PEER_CALLS")
    return True
