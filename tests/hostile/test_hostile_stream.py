"""Peers whose streams are bad: cut, silent, out of order, unreadable, or garbage for ever.

What was taken stays, what is missing comes later, and whoever breaks the protocol waits longest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from comity.client.connection.grpc_errors import DOMAIN
from comity.node.database.tables import PartRow, QuarantineRow, ReceiptRow, RecordRow
from comity.node.home.certificate_authority import Authority
from comity.node.server.background import peer_stream
from comity.record.errors import BadCursor, EpochChanged
from comity.record.limits import MAX_BATCH_RECORDS, MAX_CURSOR_CHARS, MAX_MESSAGE_BYTES
from comity.record.spiffe import Role, SpiffeId
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import record_pb2
from tests.support.drafts import card
from tests.support.hostile_calls import CA, EVE, UK, contents
from tests.support.lying_peer import (
    ACCEPTED,
    CUT,
    HEARTBEAT,
    Liar,
    Said,
    Status,
    batch,
    called_again,
    deceived,
    fault_noted,
    haste,
    in_a_row,
    saying,
    serving_liar,
)
from tests.support.network import make_home, run, serving, until

LONGEST = 1
"""Seconds of the longest pause, as tests' homes set it."""


def test_a_stream_cut_between_and_within_batches_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            cards = [ca.sign(card()) for _ in range(5)]
            all_batches = in_a_row(*([record] for record in cards))

            def cut_after_each(cursor: str) -> list[Said]:
                left = all_batches[int(cursor or 0) :]
                holding = pb.Accepted(receipted_cursor=cursor, heartbeat_seconds=1)
                return (
                    [pb.ReplicateResponse(accepted=holding), left[0], CUT] if left else [ACCEPTED]
                )

            ca.script = cut_after_each
            await until(lambda: ca.row.cursor == "5", "every batch")
            await until(lambda: len(ca.streams[-1].receipts) == 5, "every receipt")
            starts = [s.cursor for s in ca.streams if s.cursor]
            assert list(dict.fromkeys(starts)) == ["1", "2", "3", "4", "5"]
            assert [r.record_id for r in uk.rows(RecordRow)] == [c.record_id for c in cards]
            assert len(uk.rows(PartRow)) == 15
            # receipts that were lost on the way were sent again, in order
            assert [r.cursor for r in ca.streams[-1].receipts] == ["1", "2", "3", "4", "5"]
            assert len(uk.rows(ReceiptRow)) == 5

    run(scenario())


@pytest.mark.parametrize(
    "refusal",
    [EpochChanged("another life", field="cursor"), BadCursor("not a cursor", field="cursor")],
)
def test_a_cursor_that_the_sender_refuses_is_given_up_and_replication_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: EpochChanged | BadCursor
) -> None:
    monkeypatch.setattr(peer_stream, "SILENCE", 0.2)

    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            first, second = ca.sign(card()), ca.sign(card())
            ca.script = saying(ACCEPTED, batch(first, cursor="old"))
            await until(lambda: ca.receipts, "the first receipt")

            def another_life(cursor: str) -> list[Said]:
                if cursor == "old":
                    return [Status.of(refusal)]
                anew = [batch(first, second, after="0", cursor="new")]
                return [ACCEPTED, *(anew if not cursor else []), CUT]

            former = len(ca.streams)
            ca.script = another_life
            await until(lambda: ca.row.cursor == "new", "what the new life sends")
            ca.script = saying(ACCEPTED)
            await until(lambda: ca.streams[-1].receipts, "the receipt")
            assert len(uk.rows(RecordRow)) == 2
            # the old life's receipts would be refused, and the stream with them, for ever
            assert {r.cursor for s in ca.streams[former:] for r in s.receipts} == {"new"}

    run(scenario())


def offering(after: str, cursor: str) -> tuple[Said, ...]:
    return ACCEPTED, HEARTBEAT, batch(record_pb2.Record(), after=after, cursor=cursor)


WORDS: dict[str, tuple[Said, ...]] = {
    "BAD_CURSOR: message: expected accepted": (HEARTBEAT,),
    "INVALID_INPUT: message: expected a ReplicateResponse": (b"\xff\xff",),
    "INVALID_INPUT: message: expected a Replicate": (ACCEPTED, HEARTBEAT, b"\xff\xff"),
    "INVALID_INPUT: message: expected batch or heartbeat, got None": (
        ACCEPTED,
        HEARTBEAT,
        pb.ReplicateResponse(),
    ),
    "INVALID_INPUT: message: expected batch or heartbeat, got accepted": (ACCEPTED, ACCEPTED),
    "BAD_CURSOR: batch.offers": (ACCEPTED, HEARTBEAT, batch(after="1", cursor="2")),
    "LIMIT_EXCEEDED: batch.offers: expected at most 256 records": (
        ACCEPTED,
        batch(*[record_pb2.Record()] * (MAX_BATCH_RECORDS + 1), after="1"),
    ),
    "BAD_CURSOR: batch.previous_cursor": offering("elsewhere", "3"),
    "LIMIT_EXCEEDED: batch.previous_cursor": offering("x" * (MAX_CURSOR_CHARS + 1), "3"),
    "BAD_CURSOR: batch.cursor: expected the cursor after": offering("1", ""),
    "LIMIT_EXCEEDED: batch.cursor": offering("1", "x" * (MAX_CURSOR_CHARS + 1)),
    "BAD_CURSOR: batch.cursor: expected printable": offering("1", "\x00"),
}
"""What a peer says, by what is noted about it."""


def test_whoever_breaks_the_protocol_is_named_and_waits_longest(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            ca.script = saying(ACCEPTED, batch(ca.sign(card())), CUT)
            await until(lambda: ca.row.cursor == "1", "one good batch")
            before = contents(uk)
            for told, said in WORDS.items():
                ca.script = saying(*said)
                await fault_noted(ca, told)
                ca.pauses.clear()
                await called_again(ca, 2)
                assert set(ca.pauses) == {LONGEST}, told
            assert contents(uk) == before
            assert (ca.row.cursor, uk.rows(QuarantineRow)) == ("1", [])

    run(scenario())


def test_a_message_over_the_limit_ends_the_stream_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            huge = record_pb2.Record(disclosures=[b"x" * MAX_MESSAGE_BYTES])
            ca.script = saying(ACCEPTED, batch(huge))
            told = "LIMIT_EXCEEDED: message: expected at most 8388608 bytes (MAX_MESSAGE_BYTES)"
            await fault_noted(ca, told)
            assert uk.rows(QuarantineRow) == uk.rows(RecordRow) == []

    run(scenario())


def statuses() -> Iterator[Status]:
    """Ends of a call that no honest server writes."""
    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    metadata = {"limit": "MAX", "maximum": "many", "got": "more", "unit": "", "field": "x"}
    detail = any_pb2.Any()
    detail.Pack(
        error_details_pb2.ErrorInfo(reason="LIMIT_EXCEEDED", domain=DOMAIN, metadata=metadata)
    )
    for claimed in (code.value[0], 0):
        status = status_pb2.Status(code=claimed, message="m", details=[detail])
        data = status.SerializeToString()
        yield Status(code, "m", (("grpc-status-details-bin", data),))
    yield Status(code, "m", (("grpc-status-details-bin", b"\xff\xff"),))
    yield Status(code, "\x00 message larger than max (9 vs. " + "9" * 5000 + ")")


def test_a_malicious_refusal_is_an_error_like_any_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (_, ca):
            for status in statuses():
                ca.script = saying(status)
                await called_again(ca, 3)
                assert ca.row.last_error.startswith("INTERNAL: ")
                assert "\x00" not in ca.row.last_error
            # the same work goes on with its back-off; a task that dies would begin anew
            assert ca.pauses[-1] == LONGEST

    run(scenario())


def test_a_server_whose_certificate_is_by_another_authority_is_told_nothing(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        homes = {name: make_home(tmp_path, name) for name in (UK, CA, EVE)}
        eve = homes[EVE].authority
        # signs for another institute, as a careless or hostile authority would
        forger = Authority.load(CA, *eve.pem())
        forged = forger.issue(SpiffeId(CA, Role.NODE))
        with haste():
            async with serving(homes[UK]) as uk:
                uk.node.add_peer(homes[EVE].bundle())
                liar = Liar(homes[CA], uk, saying(ACCEPTED))
                async with serving_liar(liar, (forged.certificate, forged.private_key)):
                    uk.node.add_peer(liar.bundle)
                    await fault_noted(liar, "UNAVAILABLE")
                    assert liar.row.last_error.count("UNAVAILABLE") == 1
                    assert liar.streams == []

    run(scenario())
