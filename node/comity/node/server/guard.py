"""The guard before every method: it admits the caller and turns errors into statuses.

On the wire every method takes a stream of requests, so that the guard begins at a call's headers:

    (1) the caller is looked up, within the bounds for callers that are not known yet
    (2) the call is counted towards the caller's share
    (3) the one request of a method that takes one has to come within REQUEST_SECONDS

Invariants 9 and 10: no handler runs, and no request is read, for a caller that ``callers`` does not
authenticate and authorise, or that has used up its share. An error of Comity's tree becomes its
status with ``ErrorInfo`` (AIP-193). Any other error is logged with its traceback and answered as
INTERNAL without details.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from comity.client.connection.grpc_errors import to_status
from comity.node.database.clock import Clock, to_datetime, to_milliseconds
from comity.node.server.background.lasting_failures import DATABASE_AWAY
from comity.node.server.callers import (
    authenticate,
    authorise,
    certificate_of,
    end_of,
    issuer_of,
)
from comity.node.server.refusal_log import RefusalLog
from comity.node.server.shares import Shares
from comity.node.server.threads import ADMISSION_THREADS, THREAD_SHARE, in_pool, in_thread
from comity.node.server.wakeup import Bell
from comity.node.trust.site import Site
from comity.record.errors import ComityError, InvalidInput, Unavailable
from comity.record.spiffe import SpiffeId

REQUEST_SECONDS: Final = 60.0
"""How long a request may take to arrive: 8 MiB over a line of 1.2 Mbit/s."""

ADMISSION_MS: Final = 300_000
"""Age at which a look at a stream's caller is made again although nothing was committed."""

log = structlog.get_logger()

CALLER: ContextVar[SpiffeId] = ContextVar("caller")
"""The caller, as a handler may ask for it."""

Handler = Any


class Guard(grpc.aio.ServerInterceptor):
    """Puts itself before every handler of a server."""

    def __init__(self, site: Site, bell: Bell) -> None:
        self._site, self._bell = site, bell
        self._shares = Shares(site.institute)
        self._refusals = RefusalLog()
        self._own_authorities: set[str] = set()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the method's handler behind the guard; None if there is no such method."""
        handler = await continuation(details)
        if handler is None:
            return None
        return self._wrap(handler, details.method)

    def _wrap(self, handler: Any, method: str) -> Handler:
        # requests stay bytes until the caller is known; gRPC itself would answer without ErrorInfo
        parse = _parser(handler.request_deserializer)
        codec = {"response_serializer": handler.response_serializer}

        async def unary(requests: AsyncIterator[bytes], context: Any) -> Any:
            async with self._guarded(method, context):
                return await handler.unary_unary(await _only(parse, requests), context)

        async def stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[Any]:
            behaviour = handler.stream_stream or handler.unary_stream
            async with self._guarded(method, context):
                whole = handler.request_streaming
                parsed = _each(parse, requests) if whole else await _only(parse, requests)
                admitted = _Admission(self._site.clock, self._bell, context.auth_context())
                async for response in behaviour(parsed, context):
                    # a stream may outlive a certificate, or a peer's membership
                    if not admitted.holds:
                        admitted.renew()
                        await in_thread(self._admit, method, context.auth_context())
                    yield response

        if not handler.response_streaming:
            return grpc.stream_unary_rpc_method_handler(unary, **codec)
        return grpc.stream_stream_rpc_method_handler(stream, **codec)

    @asynccontextmanager
    async def _guarded(self, method: str, context: Any) -> AsyncIterator[None]:
        """Admit the caller, count the call, and abort it with a status if the body fails."""
        caller = None
        try:
            # (1) on threads of their own: whoever is not known yet must not delay who is
            leaf = certificate_of(context.auth_context())
            with self._shares.admission(leaf, self._foreign_authority(leaf)):
                known = context.auth_context()
                caller = await in_pool(ADMISSION_THREADS, self._admit, method, known)

            # (2) the call, and its share of the threads
            CALLER.set(caller)
            with self._shares.call(caller) as share:
                THREAD_SHARE.set(share)
                yield

        except ComityError as error:
            self._refusals.add(method, caller, error)
            await _abort(context, error)

        except DATABASE_AWAY as error:
            away = Unavailable("the node cannot reach its database", hint="try again in a moment")
            away.__cause__ = error
            self._refusals.add(method, caller, away)
            # background work, which may be waiting, finds out as well, and tells the operator
            self._bell.ring()
            await _abort(context, away)

        # the caller hung up, or the call was aborted already: there is nothing left to answer
        except (asyncio.CancelledError, grpc.aio.AbortError, GeneratorExit):
            raise

        except Exception:
            log.exception("failed", method=method)
            await _abort(context, ComityError("the node failed; its log says why"))

    def _foreign_authority(self, leaf: bytes) -> str | None:
        """Return the name of the authority that signed a certificate; None if it is our own.

        TLS has checked the signature by a pinned authority of that name, and no two institutes have
        authorities of one name (``trust.peers.check_authorities``).
        """
        issuer = issuer_of(leaf)
        return None if issuer in self._own_authorities else issuer

    def _admit(self, method: str, auth_context: Any) -> SpiffeId:
        """Return the caller, if it may call the method now."""
        now = to_datetime(self._site.clock())
        caller = authenticate(auth_context, self._site.find_bundle, now)
        # whom it names is certain from here on, so its authority is known as ours or another's
        if caller.institute == self._site.institute:
            self._own_authorities.add(issuer_of(certificate_of(auth_context)))
        suspended = self._site.is_suspended(caller.institute)
        authorise(caller, method, self._site.institute, suspended=suspended)
        return caller


class _Admission:
    """Whether the caller of a stream is still known to be admitted, without a look at the database.

    It is, until something is committed, the caller's certificate ends, or ADMISSION_MS have passed.
    """

    def __init__(self, clock: Clock, bell: Bell, auth_context: Any) -> None:
        self._clock, self._bell = clock, bell
        self._end = to_milliseconds(end_of(certificate_of(auth_context)))
        self._heard, self._until = -1, 0

    @property
    def holds(self) -> bool:
        """False if the caller is to be looked up before the next message."""
        return self._heard == self._bell.rings and self._clock() < self._until

    def renew(self) -> None:
        """Note, before the caller is looked up, for how long the outcome holds."""
        self._heard = self._bell.rings
        self._until = min(self._end, self._clock() + ADMISSION_MS)


def _parser(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parse(data: bytes) -> Any:
        try:
            return deserializer(data)
        except DecodeError as error:
            raise InvalidInput(f"expected a protobuf message: {error}", field="message") from error

    return parse


async def _only(parse: Callable[[bytes], Any], requests: AsyncIterator[bytes]) -> Any:
    """Return the one request of a call, parsed.

    Raises:
        InvalidInput: none came within REQUEST_SECONDS, more than one came, or it cannot be parsed.
    """
    try:
        # (3) a call that is held open without its request would cost its caller nothing
        async with asyncio.timeout(REQUEST_SECONDS):
            received = await _first_two(requests)
    except TimeoutError as error:
        message = f"expected a request within {REQUEST_SECONDS:.0f} s, got none"
        raise InvalidInput(message, field="message") from error

    if len(received) != 1:
        raise InvalidInput(f"expected one request, got {len(received)}", field="message")
    return parse(received[0])


async def _first_two(requests: AsyncIterator[bytes]) -> list[bytes]:
    received: list[bytes] = []
    async for request in requests:
        received.append(request)
        if len(received) == 2:
            break
    return received


async def _each(
    parse: Callable[[bytes], Any], requests: AsyncIterator[bytes]
) -> AsyncIterator[Any]:
    async for request in requests:
        yield parse(request)


async def _abort(context: Any, error: ComityError) -> None:
    await context.abort_with_status(rpc_status.to_status(to_status(error)))
