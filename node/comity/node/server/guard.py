"""The guard before every method: it admits the caller and turns errors into statuses.

Invariants 9 and 10: no handler runs, and no request is parsed, for a caller that ``callers`` does
not authenticate and authorise; one peer cannot take up all calls that a node can hold. An error of
Comity's tree becomes its status with ``ErrorInfo`` (AIP-193). Any other error is logged with its
traceback and answered as INTERNAL without details.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from comity.client.connection.grpc_errors import to_status
from comity.node.database.clock import to_datetime
from comity.node.server.callers import authenticate, authorise
from comity.node.server.threads import in_thread
from comity.node.trust.site import Site
from comity.record.errors import ComityError, InvalidInput
from comity.record.limits import Limit
from comity.record.spiffe import SpiffeId

MAX_PEER_CALLS: Final = Limit("MAX_PEER_CALLS", 32, "calls")
"""Calls of one peer at a time: it needs one stream, and reconnects over bad lines need the rest."""

log = structlog.get_logger()

CALLER: ContextVar[SpiffeId] = ContextVar("caller")
"""The caller, as a handler may ask for it."""

Handler = Any


class Guard(grpc.aio.ServerInterceptor):
    """Puts itself before every handler of a server."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._in_flight = Counter[str]()

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

        async def unary(request: Any, context: Any) -> Any:
            async with self._guarded(method, context):
                return await handler.unary_unary(parse(request), context)

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            behaviour = handler.stream_stream or handler.unary_stream
            async with self._guarded(method, context):
                parsed = _each(parse, request) if handler.request_streaming else parse(request)
                async for response in behaviour(parsed, context):
                    # a stream may outlive a certificate, or a peer's membership
                    await in_thread(self._admit, method, context.auth_context())
                    yield response

        if not handler.response_streaming:
            return grpc.unary_unary_rpc_method_handler(unary, **codec)
        if not handler.request_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, **codec)
        return grpc.stream_stream_rpc_method_handler(stream, **codec)

    @asynccontextmanager
    async def _guarded(self, method: str, context: Any) -> AsyncIterator[None]:
        """Admit the caller, count the call, and abort it with a status if the body fails."""
        try:
            caller = await in_thread(self._admit, method, context.auth_context())
            CALLER.set(caller)
            with self._counted(caller):
                yield

        except ComityError as error:
            log.info("refused", method=method, reason=error.reason, error=str(error))
            await _abort(context, error)

        # the caller hung up, or the call was aborted already: there is nothing left to answer
        except (asyncio.CancelledError, grpc.aio.AbortError, GeneratorExit):
            raise

        except Exception:
            log.exception("failed", method=method)
            await _abort(context, ComityError("the node failed; its log says why"))

    @contextmanager
    def _counted(self, caller: SpiffeId) -> Iterator[None]:
        institute = caller.institute
        count = self._in_flight[institute] + 1
        if institute != self._site.institute:
            MAX_PEER_CALLS.check(count, "calls")
        self._in_flight[institute] = count
        try:
            yield
        finally:
            self._in_flight[institute] -= 1

    def _admit(self, method: str, auth_context: Any) -> SpiffeId:
        """Return the caller, if it may call the method now."""
        now = to_datetime(self._site.clock())
        caller = authenticate(auth_context, self._site.find_bundle, now)
        authorise(caller, method, self._site.institute)
        return caller


def _parser(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parse(data: bytes) -> Any:
        try:
            return deserializer(data)
        except DecodeError as error:
            raise InvalidInput(f"expected a protobuf message: {error}", field="message") from error

    return parse


async def _each(
    parse: Callable[[bytes], Any], requests: AsyncIterator[bytes]
) -> AsyncIterator[Any]:
    async for request in requests:
        yield parse(request)


async def _abort(context: Any, error: ComityError) -> None:
    await context.abort_with_status(rpc_status.to_status(to_status(error)))
