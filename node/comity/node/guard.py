"""The guard: stands before every method, knows the caller, and turns errors into statuses.

Invariant 9 (DESIGN section 10): no handler runs for a caller that ``identity`` does not
authenticate and authorise. What a handler raises of Comity's tree becomes its status with
``ErrorInfo``; anything else is logged with its traceback and answered as INTERNAL without details.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import grpc
import structlog
from grpc_status import rpc_status

from comity.client.status import to_status
from comity.node.clock import to_datetime
from comity.node.identity import authenticate, authorise
from comity.node.node import Node
from comity.record.errors import ComityError
from comity.record.spiffe import SpiffeId

log = structlog.get_logger()

CALLER: ContextVar[SpiffeId] = ContextVar("caller")
"""Who is calling, inside a handler."""

Handler = Any


class Guard(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the method's handler behind the guard."""
        handler = await continuation(details)
        if handler is None:
            return None
        return self._wrap(handler, details.method)

    def _wrap(self, handler: Any, method: str) -> Handler:
        codec = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:
            behaviour = handler.stream_stream or handler.unary_stream

            async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
                async with self._guarded(method, context):
                    async for response in behaviour(request, context):
                        yield response

            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(stream, **codec)
        behaviour = handler.stream_unary or handler.unary_unary

        async def unary(request: Any, context: Any) -> Any:
            async with self._guarded(method, context):
                return await behaviour(request, context)

        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return make(unary, **codec)

    @asynccontextmanager
    async def _guarded(self, method: str, context: Any) -> AsyncIterator[None]:
        try:
            caller = await asyncio.to_thread(self._admit, method, context.auth_context())
            CALLER.set(caller)
            yield
        except ComityError as error:
            log.info("refused", method=method, reason=error.reason, error=str(error))
            await context.abort_with_status(rpc_status.to_status(to_status(error)))
        except (asyncio.CancelledError, grpc.aio.AbortError, GeneratorExit):
            raise
        except Exception:
            log.exception("failed", method=method)
            await context.abort(grpc.StatusCode.INTERNAL, "the node failed; its log says why")

    def _admit(self, method: str, auth_context: Any) -> SpiffeId:
        now = to_datetime(self._node.clock())
        caller = authenticate(auth_context, self._node.find_bundle, now)
        authorise(caller, method, self._node.institute)
        return caller
