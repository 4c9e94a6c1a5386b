"""Pulling from one peer: a stream is kept open, batches are taken, receipts go back.

Invariants:
- An unreachable or misbehaving peer delays no other peer.
- Reconnection backs off with full jitter, so that peers do not return all at once.
- A stream that stays silent is dead; ``peer_stream`` says after how long.
- A peer that breaks the protocol is cut off, and called again only after the longest pause. So is
  a peer that exceeds the limits below on bad records, on records that it sent before, or on
  heartbeats. Its batches were receipted, so it cannot send the same ones again.
- When our certificate was renewed, and at least once a day, a stream gives way between two batches
  to one that begins where it ended, so that certificates are checked before they end.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import Final

import grpc
import structlog

from comity.client.connection.channel import open_channel
from comity.client.connection.grpc_errors import from_peer
from comity.node.database.tables import PeerRow
from comity.node.home.key_files import key_folder_times
from comity.node.node import Node
from comity.node.replication.inbox import TakenBatch
from comity.node.server.background.contact import Contact
from comity.node.server.background.lasting_failures import DATABASE_AWAY, LastingFailures
from comity.node.server.background.log_witnessing import Witnessing
from comity.node.server.background.peer_stream import PeerStream
from comity.node.server.background.quota_pause import quota_allows
from comity.node.server.background.root_following import RootFollower
from comity.node.server.background.waiting_outcomes import WaitingOutcomes
from comity.node.server.beside import running
from comity.node.server.services.exchange_messages import batch_from_proto
from comity.node.server.services.timestamps import from_timestamp
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import Bell
from comity.node.trust.peers import bundle_of
from comity.record.errors import (
    BadCursor,
    ComityError,
    CursorRefused,
    Flooded,
    InvalidInput,
)
from comity.record.limits import MAX_HEARTBEAT_SECONDS
from comity.v1 import exchange_service_pb2 as pb
from comity.v1 import exchange_service_pb2_grpc as rpc

MAX_BAD_IN_A_ROW: Final = 1024
"""Bad records without a new good one between them: four full batches of garbage."""

MAX_IDLE_IN_A_ROW: Final = 1024
"""Batches of records that the peer had given before: a quarter of a million records. A peer that
starts anew may have to send more of them, and goes on after the pause."""

MAX_EARLY_BEATS: Final = 64
"""Heartbeats of one stream beyond one a second: those that announce a newer root come at once."""

_LONGEST_PAUSE: Final = 16
"""Failures in a row after which the pause is as long as it gets."""

MAX_STREAM_SECONDS: Final = 86_400
"""The longest life of a connection: the peer's certificate is checked only when it is dialled."""

log = structlog.get_logger()


class Pull:
    """The work of pulling from one peer."""

    def __init__(self, node: Node, bell: Bell, peer: str, lasting: LastingFailures) -> None:
        self._node, self._bell, self._peer, self._lasting = node, bell, peer, lasting
        self._log = log.bind(peer=peer)
        self._bad_in_a_row = 0
        self._idle_in_a_row = 0
        self._failures = 0
        self._contact = Contact(node, peer)
        self._key_times = (0, 0)

    async def run(self) -> None:
        """Pull until cancelled; a batch that is being taken is finished first."""
        while True:
            await self._attempt()
            await asyncio.sleep(self._pause())

    async def _attempt(self) -> None:
        self._failures += 1
        try:
            while True:  # until something goes wrong
                await self._pull()
        except grpc.RpcError as error:
            refusal = from_peer(error, self._peer)
            # the stated recovery: start anew; what is held already is stored once
            anew = isinstance(refusal, CursorRefused | BadCursor)
            await self._failed(refusal, anew=anew)
        except (InvalidInput, Flooded) as error:
            self._failures = _LONGEST_PAUSE
            await self._failed(error)
        except ComityError as error:
            await self._failed(error)
        except DATABASE_AWAY as error:
            self._lasting.database_failed(error)
        except Exception:  # noqa: BLE001  logged with its traceback; the next attempt follows
            self._log.exception("pull failed")

    async def _failed(self, error: ComityError, *, anew: bool = False) -> None:
        self._log.info("pull ended", reason=error.reason, error=str(error))
        await self._contact.failed(error, anew=anew)

    def _pause(self) -> float:
        pace = self._node.home.settings.replication
        failures = min(self._failures, _LONGEST_PAUSE)
        longest = min(pace.retry_max_seconds, pace.retry_min_seconds * 2**failures)
        return random.uniform(0, longest)  # noqa: S311  jitter is no secret

    async def _pull(self) -> None:
        """Keep a stream open until it is time to dial anew."""
        row = await in_thread(self._node.active_peer, self._peer)
        # the times first: a certificate that is renewed in between is found later
        self._key_times = key_folder_times(self._node.home.path)
        identity = await in_thread(self._node.home.node_identity)

        async with open_channel(bundle_of(row), *identity) as channel:
            # a newer root first: the next batch may hold records of a new key
            follower = RootFollower(self._node, self._peer, channel)
            await follower.start()

            call = rpc.ExchangeServiceStub(channel).Replicate()
            try:
                witnessing = Witnessing(self._node, self._peer, channel, self._bell.branch())
                async with running(witnessing.run()):
                    await self._converse(PeerStream(call), row, identity, follower, witnessing)
            finally:
                call.cancel()

    async def _converse(
        self,
        stream: PeerStream,
        row: PeerRow,
        identity: tuple[bytes, bytes],
        follower: RootFollower,
        witnessing: Witnessing,
    ) -> None:
        # (1) begin where the last batch ended
        dialled = time.monotonic()
        answer = await self._begin(stream, row.cursor)
        accepted = answer.accepted
        witnessing.hear(answer)

        # (2) send again the receipts that the peer has not got, and what became of what waited
        unsent = self._node.inbox.unsent
        for receipt in await in_thread(unsent, self._peer, accepted.receipted_cursor):
            await stream.send_receipt(receipt)
        outcomes = WaitingOutcomes(self._node, self._peer, stream, accepted.waiting_record_ids)
        await outcomes.tell()

        # (3) take what comes, as the quota allows, until it is time to dial anew
        interval = min(max(accepted.heartbeat_seconds, 1), MAX_HEARTBEAT_SECONDS)
        beats = 0
        self._log.info("pulling", cursor=row.cursor)
        async with stream.read_ahead(interval) as messages:
            await quota_allows(self._node, self._bell, self._peer, stream)
            async for message in messages:
                kind = message.WhichOneof("message")
                await follower.follow_announced(message.root_version)
                witnessing.hear(message)

                if kind == "batch":
                    taken = await self._take(message.batch)
                    await stream.send_receipt(taken.receipt)
                    outcomes.add(taken.waiting)
                    await quota_allows(self._node, self._bell, self._peer, stream)
                elif kind == "heartbeat":
                    beats += 1
                    _check_pace(self._peer, beats, time.monotonic() - dialled)
                    await self._contact.goes_on()
                else:
                    raise InvalidInput(f"expected batch or heartbeat, got {kind}", field="message")

                await outcomes.tell()
                self._failures = 0
                if await self._is_stale(identity, dialled):
                    self._log.info("dialling anew")
                    return

    async def _begin(self, stream: PeerStream, cursor: str) -> pb.ReplicateResponse:
        asked = self._node.clock()
        answer = await stream.start(cursor, asked)
        await self._contact.began(from_timestamp(answer.accepted.time), asked)
        return answer

    async def _is_stale(self, identity: tuple[bytes, bytes], dialled: float) -> bool:
        """True if a certificate of this connection is, or may be, no longer in force."""
        if time.monotonic() - dialled > MAX_STREAM_SECONDS:
            return True
        # the file is read again only after a change in its folder
        times = key_folder_times(self._node.home.path)
        if times == self._key_times:
            return False
        self._key_times = times
        return await in_thread(self._node.home.node_identity) != identity

    async def _take(self, batch: pb.Batch) -> TakenBatch:
        taken = await in_thread(self._store, batch)
        self._bell.ring()
        self._log.info("took", new=taken.new, records=len(batch.offers))
        for state, reasons in (("refused", taken.refused), ("waiting", taken.waiting)):
            if reasons:
                self._log.warning("not taken", state=state, reasons=dict(Counter(reasons.values())))

        # a counter that trips is reset: after the longest pause the peer may begin anew
        self._bad_in_a_row = 0 if taken.new else self._bad_in_a_row + taken.not_stored
        if self._bad_in_a_row >= MAX_BAD_IN_A_ROW:
            count, self._bad_in_a_row = self._bad_in_a_row, 0
            raise Flooded(f"{self._peer} sent {count} bad records in a row")

        self._idle_in_a_row = self._idle_in_a_row + 1 if taken.idle else 0
        if self._idle_in_a_row >= MAX_IDLE_IN_A_ROW:
            count, self._idle_in_a_row = self._idle_in_a_row, 0
            raise Flooded(f"{self._peer} sent {count} batches in a row of what it had sent before")
        return taken

    def _store(self, batch: pb.Batch) -> TakenBatch:
        return self._node.inbox.take(self._peer, batch_from_proto(batch))


def _check_pace(peer: str, beats: int, seconds: float) -> None:
    """Refuse a peer whose heartbeats are too many for the time that has gone by."""
    if beats > seconds + MAX_EARLY_BEATS:
        raise Flooded(f"{peer} sent {beats} heartbeats in {seconds:.0f} s")
