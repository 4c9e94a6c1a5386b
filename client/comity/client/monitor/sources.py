"""Sources of a log for a monitor: static tiles over HTTP (C2SP tlog-tiles), or a node over gRPC.

Invariants: every answer is bounded while it is read; nothing is verified here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp

from comity.client.connection.log_client import LogClient
from comity.record.errors import BadConfig, BadTile, Unavailable
from comity.record.limits import MAX_ENTRY_BYTES, MAX_NOTE_BYTES, Limit
from comity.record.log import origin
from comity.record.tile import TILE_WIDTH, Tile, decode_entries

SILENCE_SECONDS: Final = 30.0
"""How long a log may send nothing while it is read over HTTP."""

TIMEOUT_SECONDS: Final = 300.0
"""How long one file may take over HTTP."""

TILES_AT_ONCE: Final = 8
"""Tiles in one request over gRPC, 150 KB each, or requests at a time over HTTP."""

MAX_TILE_BYTES: Final = Limit("MAX_TILE_BYTES", TILE_WIDTH * (2 + MAX_ENTRY_BYTES), "bytes")
"""A tile of entries: two bytes of length before each entry (C2SP tlog-tiles)."""

_CHUNK_BYTES: Final = 1 << 16


class LogSource(Protocol):
    """A log as it is shown to its readers.

    ``origin`` is the name of the log that was asked for; the server may answer with another log.
    Both methods raise Unavailable if the log cannot be reached, and the errors that a node answers.
    """

    origin: str

    async def checkpoint(self) -> bytes:
        """Return the newest checkpoint that is shown, a signed note."""
        ...

    async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
        """Return the entries of each tile of entries, 1 to TILES_AT_ONCE tiles, in their order.

        Raises:
            BadTile: a tile is malformed, or of another width than was asked for.
        """
        ...


class NodeSource:
    """The log of a node, over gRPC."""

    def __init__(self, log: LogClient, institute: str) -> None:
        self._log, self.origin = log, origin(institute)

    async def checkpoint(self) -> bytes:
        """Return the newest checkpoint."""
        return await self._log.checkpoint()

    async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
        """Return the entries of tiles."""
        found = await self._log.tiles([tile.path for tile in tiles])
        return [_decode(tile, data) for tile, data in zip(tiles, found, strict=True)]


class SiteSource:
    """A static log (C2SP tlog-tiles) below the URL ``prefix``.

    The host of the URL is taken for the log's name; it counts only if a bundle knows the name.

    Raises:
        BadConfig: ``prefix`` is not a URL.
    """

    def __init__(self, session: aiohttp.ClientSession, prefix: str) -> None:
        self._session, self._prefix = session, prefix.rstrip("/")
        try:
            self.origin = urlsplit(prefix).hostname or ""
        except ValueError as error:
            raise BadConfig(f"expected a URL: {error}", field=prefix) from error

    async def checkpoint(self) -> bytes:
        """Return the newest checkpoint."""
        return await self._get("checkpoint", MAX_NOTE_BYTES)

    async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
        """Return the entries of tiles."""
        return await asyncio.gather(*map(self._tile, tiles))

    async def _tile(self, tile: Tile) -> list[bytes]:
        return _decode(tile, await self._get(tile.path, MAX_TILE_BYTES))

    async def _get(self, path: str, limit: Limit) -> bytes:
        url = f"{self._prefix}/{path}"
        data = bytearray()
        try:
            # no redirects: the log's host could send us anywhere, also inside our own network
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise Unavailable(f"expected status 200, got {answer.status}", field=url)

                # the limit holds at each chunk, whatever length the server states
                async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                    data += chunk
                    limit.check(len(data), url)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            told = str(error) or type(error).__name__
            raise Unavailable(f"cannot be read: {told:.200}", field=url) from error
        return bytes(data)


def open_session() -> aiohttp.ClientSession:
    """Open the HTTP session for static logs. The caller closes it; needs a running event loop."""
    timeout = aiohttp.ClientTimeout(
        total=TIMEOUT_SECONDS, connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS
    )
    # proxies are taken from the environment, since auditors often sit behind one
    return aiohttp.ClientSession(timeout=timeout, trust_env=True)


def is_url(name: str) -> bool:
    """Return True if a log is named by the URL of a static log."""
    return name.startswith(("https://", "http://"))


def _decode(tile: Tile, data: bytes) -> list[bytes]:
    entries = decode_entries(data)
    # C2SP tlog-tiles: a log may delete a partial tile, and answer with the full one
    if len(entries) not in (tile.width, TILE_WIDTH):
        message = f"expected {tile.width} entries, got {len(entries)}"
        raise BadTile(message, field=tile.path)
    return entries[: tile.width]
