"""Where a monitor reads a log: over HTTP as static tiles, or over gRPC from a node.

Invariants: what is read is bounded while it is read; nothing of it is believed here.
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
"""How long a log may be silent."""

TIMEOUT_SECONDS: Final = 300.0
"""How long one file may take."""

TILES_AT_ONCE: Final = 8
"""Tiles a request over gRPC, 150 KB each, and requests at a time over HTTP."""

MAX_TILE_BYTES: Final = Limit("MAX_TILE_BYTES", TILE_WIDTH * (2 + MAX_ENTRY_BYTES), "bytes")
"""A tile of entries: each entry comes after two bytes of its length (C2SP tlog-tiles)."""

_CHUNK_BYTES: Final = 1 << 16


class LogSource(Protocol):
    """A log, as it is shown to whoever reads it.

    Both methods raise Unavailable where it cannot be reached, and what a node answers. ``origin``
    is the name of the log that was asked for: whoever answers may show another's.
    """

    origin: str

    async def checkpoint(self) -> bytes:
        """Return the newest checkpoint that is shown: a signed note."""
        ...

    async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
        """Return the entries of up to TILES_AT_ONCE tiles of entries, as wide as was asked for.

        Raises:
            BadTile: a tile of another width, or malformed.
        """
        ...


class NodeSource:
    """A node's log over gRPC."""

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
    """A static log (C2SP tlog-tiles) below the URL ``prefix``, whose host may be its name.

    Raises:
        BadConfig: not a URL.
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
            # a redirect would be followed to wherever the log's host says, also inside our network
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise Unavailable(f"expected status 200, got {answer.status}", field=url)
                async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                    data += chunk
                    limit.check(len(data), url)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            told = str(error) or type(error).__name__
            raise Unavailable(f"cannot be read: {told:.200}", field=url) from error
        return bytes(data)


def open_session() -> aiohttp.ClientSession:
    """Return what static logs are read with; to be closed. Needs a running event loop."""
    timeout = aiohttp.ClientTimeout(
        total=TIMEOUT_SECONDS, connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS
    )
    # proxies as the environment has them: auditors often sit behind one
    return aiohttp.ClientSession(timeout=timeout, trust_env=True)


def is_url(name: str) -> bool:
    """Say whether a log is named by the URL of a static log."""
    return name.startswith(("https://", "http://"))


def _decode(tile: Tile, data: bytes) -> list[bytes]:
    entries = decode_entries(data)
    # a log may answer with the full tile, once there is one
    if len(entries) not in (tile.width, TILE_WIDTH):
        message = f"expected {tile.width} entries, got {len(entries)}"
        raise BadTile(message, field=tile.path)
    return entries[: tile.width]
