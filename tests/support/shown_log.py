"""A log as a monitor is shown it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from comity.client.monitor.report import Report
from comity.client.monitor.sources import LogSource
from comity.record.errors import Unavailable
from comity.record.tile import Tile
from tests.support.memory_log import MemoryLog


@dataclass
class ShownLog(LogSource):
    """A log as it is shown: what a test may change, it does."""

    log: MemoryLog
    size: int
    origin: str = ""
    fails_after: int = 1 << 60
    spoil: Callable[[list[bytes]], list[bytes]] = list
    asked: list[Tile] = field(default_factory=list)

    async def checkpoint(self) -> bytes:
        """Return the checkpoint of the first entries."""
        return self.log.checkpoint(self.size)

    async def entries(self, tiles: Sequence[Tile]) -> list[list[bytes]]:
        """Return entries."""
        if len(self.asked) >= self.fails_after:
            raise Unavailable("the line was cut")
        self.asked += tiles
        return [self._entries(tile) for tile in tiles]

    def _entries(self, tile: Tile) -> list[bytes]:
        start = 256 * tile.index
        return self.spoil(self.log.leaves[start : start + tile.width])


Look = Callable[[LogSource], Report]
