"""The puller's end of one replication stream: reads ahead, writes with a deadline.

Invariants: every wait ends: the peer's first answer after CONNECT_SECONDS, a write that it does not
read after WRITE_SECONDS, its silence after SILENCE heartbeats; at most READ_AHEAD messages are
held that nobody has worked on; a stream that the peer ends is Unavailable, whatever gRPC calls it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc

from comity.node.server.services.timestamps import to_timestamp
from comity.record.envelope import Envelope
from comity.record.errors import BadCursor, InvalidInput, Unavailable
from comity.record.wire import envelope_to_proto
from comity.v1 import exchange_service_pb2 as pb

CONNECT_SECONDS: Final = 20
"""Seconds that the first answer of a peer may take."""

WRITE_SECONDS: Final = 60
"""Seconds that a peer may leave unread what this node sends."""

SILENCE: Final = 3
"""Heartbeats that may be missed before a stream counts as dead."""

READ_AHEAD: Final = 2
"""Batches received while one is being taken; each is at most one message."""


class PeerStream:
    """One open call of ``ExchangeService.Replicate``, as the puller sees it."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def start(self, cursor: str, now: int) -> pb.ReplicateResponse:
        """Ask for what follows ``cursor``, and return the peer's answer, which is ``accepted``.

        ``now`` is the time that the peer is told, in Unix milliseconds.

        Raises:
            Unavailable: the peer does not answer, or ends the stream.
            BadCursor: the peer answers with something else.
        """
        start = pb.Start(cursor=cursor, time=to_timestamp(now), follows_log=True)
        await self._write(pb.ReplicateRequest(start=start))

        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                first = await self._read()
        except TimeoutError as error:
            message = f"expected an answer within {CONNECT_SECONDS} s, got none"
            raise Unavailable(message) from error

        if first is grpc.aio.EOF:
            raise Unavailable("expected accepted, got the end of the stream")
        if first.WhichOneof("message") != "accepted":
            raise BadCursor("expected accepted as the first message", field="message")
        answer: pb.ReplicateResponse = first
        return answer

    async def send_receipt(self, receipt: Envelope) -> None:
        """Send a signed receipt.

        Raises:
            Unavailable: the peer does not read, or has ended the stream.
        """
        message = pb.Receipt(envelope=envelope_to_proto(receipt))
        await self._write(pb.ReplicateRequest(receipt=message))

    async def send_pause(self, until: int) -> None:
        """Say that nothing more is taken until a time in Unix milliseconds.

        Raises: as ``send_receipt``.
        """
        pause = pb.Pause(until_time=to_timestamp(until))
        await self._write(pb.ReplicateRequest(pause=pause))

    def read_ahead(self, heartbeat_seconds: float) -> ReadAhead:
        """Return the messages that follow, of a peer that sends a heartbeat so often."""
        return ReadAhead(self._read, SILENCE * heartbeat_seconds)

    async def _read(self) -> Any:
        message = await self._call.read()
        if message is None:  # gRPC's word for bytes that it cannot parse
            raise InvalidInput("expected a ReplicateResponse, got other bytes", field="message")
        return message

    async def _write(self, request: pb.ReplicateRequest) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._call.write(request)
        except TimeoutError as error:
            message = f"expected the peer to read, it did not for {WRITE_SECONDS} s"
            raise Unavailable(message) from error
        except asyncio.InvalidStateError as error:
            await self._call.read()  # raises what ended the stream, unless it was nothing
            raise Unavailable("the peer ended the stream") from error
        except grpc.aio.AioRpcError as error:
            # gRPC's word for a stream that ended while it was written to
            if error.code() is grpc.StatusCode.INTERNAL:
                raise Unavailable("the peer ended the stream") from error
            raise


class ReadAhead:
    """Reads a stream's messages while earlier ones are worked on, at most READ_AHEAD of them.

    Iterating raises Unavailable once the peer ends the stream, or is silent for ``silence``
    seconds.
    """

    def __init__(self, read: Callable[[], Awaitable[Any]], silence: float) -> None:
        self._read_one, self._silence = read, silence
        self._held: asyncio.Queue[pb.ReplicateResponse | None] = asyncio.Queue(READ_AHEAD)
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AsyncIterator[pb.ReplicateResponse]:
        self._reading = asyncio.create_task(self._run())
        return self._messages(self._reading)

    async def __aexit__(self, *_: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _run(self) -> None:
        try:
            while True:
                async with asyncio.timeout(self._silence):
                    message = await self._read_one()
                if message is grpc.aio.EOF:
                    raise Unavailable("the peer ended the stream")
                await self._held.put(message)
        except TimeoutError as error:
            raise Unavailable(f"silent for {self._silence} s") from error
        finally:
            # wakes the reader of the queue, unless it has something to work on first
            if not self._held.full():
                self._held.put_nowait(None)

    async def _messages(self, reading: asyncio.Task[None]) -> AsyncIterator[pb.ReplicateResponse]:
        while not (reading.done() and self._held.empty()):
            message = await self._held.get()
            if message is not None:
                yield message
        await reading
