"""The HTTP port: the log as static tiles, witnessing, and metrics.

    GET  /checkpoint        the newest checkpoint with its cosignatures (C2SP tlog-checkpoint)
    GET  /tile/...          hashes and leaves (C2SP tlog-tiles); a tile never changes
    POST /add-checkpoint    cosigns another institute's checkpoint (C2SP tlog-witness)
    GET  /metrics           for monitoring; a proxy in front can keep it from the public
    GET  /healthz           200 while the process answers at all
    GET  /readyz            200 if the node can serve, else 503 and the reason

The port is off unless ``log.listen`` is set. It speaks plain HTTP, and a proxy with TLS is to stand
before it; its answers are signed, or hash to a root that is. Invariants: nothing is shown before it
was signed; requests take at most WORKERS threads and MAX_CONNECTIONS files, so that a flood of them
cannot keep the exchange from working (invariant 10).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar, cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from comity.node.log.proofs import newest_checkpoint, published_tiles
from comity.node.server.health import Health
from comity.node.server.metrics import CONTENT_TYPE, metrics
from comity.node.server.threads import in_thread
from comity.node.trust.site import Site
from comity.node.witness.cosigning import add_checkpoint
from comity.record.address import parse_address
from comity.record.errors import (
    BadConfig,
    BadProof,
    BadSignature,
    BadTile,
    ComityError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    OtherSizeHeld,
    UnknownKey,
)
from comity.record.tlog_witness import SIZE_TYPE, AddCheckpoint

WORKERS: Final = 2
"""Requests that are worked on at a time; more wait on their connections."""

MAX_CONNECTIONS: Final = 128
"""Connections at a time; the oldest gives way to a new one. As many as are accepted in one turn of
the loop, at most 100, can go beyond it for that turn."""

STOP_SECONDS: Final = 5
"""How long requests may take to finish when the node stops."""

MAX_BODY_BYTES: Final = 64 * 1024
"""A request: a note of up to 32 KiB with a proof of 63 hashes."""

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_NEVER: Final = "no-cache"
_PLAIN: Final = "text/plain; charset=utf-8"

T = TypeVar("T")

log = structlog.get_logger()


class HttpPort:
    """A node's HTTP port, open while the context is. ``address`` is the host and port it bound."""

    def __init__(self, site: Site, health: Health) -> None:
        self._site, self._health = site, health
        self._working = asyncio.Semaphore(WORKERS)

        application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_answer_errors])
        application.add_routes(
            [
                web.get("/checkpoint", self._checkpoint),
                web.get("/tile/{path:.+}", self._tile),
                web.post("/add-checkpoint", self._add_checkpoint),
                web.get("/metrics", self._metrics),
                web.get("/healthz", _alive),
                web.get("/readyz", self._ready),
            ]
        )

        self._runner = web.AppRunner(
            application,
            access_log=None,
            auto_decompress=False,  # no client needs it, and a small body can unpack to a huge one
            handle_signals=False,
            shutdown_timeout=STOP_SECONDS,
        )
        self._listener: asyncio.Server | None = None
        self.address = ""

    async def __aenter__(self) -> HttpPort:
        listen = self._site.home.settings.log.listen
        host, port = parse_address(listen)
        await self._runner.setup()

        try:
            serve = partial(_serve, cast("web.Server", self._runner.server))
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(serve, host.strip("[]"), port)
        except OSError as error:
            await self._runner.cleanup()
            hint = "log.listen in comity.toml says what is bound; empty turns it off"
            message = f"cannot listen on {listen}: {error.strerror}"
            raise BadConfig(message, field="log.listen", hint=hint) from error

        self.address = f"{host}:{self._listener.sockets[0].getsockname()[1]}"
        log.info("serving the log", address=self.address)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    async def _checkpoint(self, request: web.Request) -> web.Response:
        note = await self._work(self._newest)
        return _response(note, _PLAIN, _NEVER)

    async def _tile(self, request: web.Request) -> web.Response:
        tile = await self._work(self._one_tile, f"tile/{request.match_info['path']}")
        return _response(tile, "application/octet-stream", _FOR_EVER)

    async def _add_checkpoint(self, request: web.Request) -> web.Response:
        try:
            lines = await self._work(self._cosign, await _body(request))
        except OtherSizeHeld as error:
            return _response(f"{error.held}\n".encode(), SIZE_TYPE, _NEVER, status=409)
        except ComityError as error:
            return _failure(_status(error), str(error))
        return _response(lines, _PLAIN, _NEVER)

    async def _metrics(self, request: web.Request) -> web.Response:
        return _response(await self._work(metrics, self._site), CONTENT_TYPE, _NEVER)

    async def _ready(self, request: web.Request) -> web.Response:
        # not among the WORKERS: a probe has to be answered while they are all busy
        problem = await self._health.problem()
        if problem:
            return _failure(503, f"not ready: {problem}")
        return _response(b"ready\n", _PLAIN, _NEVER)

    async def _work(self, function: Callable[..., T], *args: object) -> T:
        async with self._working:
            return await in_thread(function, *args)

    def _cosign(self, body: bytes) -> bytes:
        asked = AddCheckpoint.parse(body)
        lines = add_checkpoint(self._site, asked.checkpoint, asked.old_size, asked.proof)
        return "".join(f"{line}\n" for line in lines).encode()

    def _newest(self) -> bytes:
        with self._site.store.read() as session:
            return newest_checkpoint(session).note

    def _one_tile(self, path: str) -> bytes:
        with self._site.store.read() as session:
            return published_tiles(session, [path])[0]


async def _alive(request: web.Request) -> web.Response:
    return _response(b"alive\n", _PLAIN, _NEVER)


async def _body(request: web.Request) -> bytes:
    """Return the body of a request.

    Raises:
        InvalidInput: the caller hung up half-way, or the body is not what the headers say.
    """
    try:
        return await request.read()
    # RuntimeError is aiohttp's word for a connection that is closed already
    except (ConnectionError, RuntimeError, web.RequestPayloadError, HttpProcessingError) as error:
        raise InvalidInput(f"expected a whole body: {error}", field="body") from error


def _serve(server: web.Server) -> asyncio.Protocol:
    """Return the protocol of one more connection; the oldest is cut off if there are too many."""
    # one that was cut off stays in the list until the loop turns
    open_ones = [t for c in server.connections if (t := c.transport) and not t.is_closing()]
    for transport in open_ones[: len(open_ones) - MAX_CONNECTIONS + 1]:
        transport.abort()
    return server()


def _status(error: ComityError) -> int:
    """Return the status of a refusal to cosign (C2SP tlog-witness, add-checkpoint)."""
    known = (
        (NotFound, 404),
        ((BadSignature, UnknownKey, Forbidden), 403),
        (Conflict, 409),
        (BadProof, 422),
    )
    return next((status for kind, status in known if isinstance(error, kind)), 400)


def _response(body: bytes, content_type: str, cache: str, *, status: int = 200) -> web.Response:
    headers = {"Content-Type": content_type, "Cache-Control": cache}
    return web.Response(status=status, body=body, headers=headers)


@web.middleware
async def _answer_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except (NotFound, BadTile) as error:
        return _failure(404, str(error))
    except web.HTTPException:
        raise
    except ComityError as error:
        return _failure(400, str(error))
    except Exception:
        log.exception("failed", path=request.path)
        return _failure(500, "the node failed; its log says why")


def _failure(status: int, message: str) -> web.Response:
    return web.Response(status=status, text=f"{message}\n", headers={"Cache-Control": "no-store"})
