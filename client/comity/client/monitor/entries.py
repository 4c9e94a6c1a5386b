"""Step (2) of a look: fetching the entries of a log until they lead to the root that it signed.

Invariant: an entry that was fetched before is not fetched again, unless the entries together lead
to another root. So a look costs as much as the log has grown.
"""

from __future__ import annotations

from collections.abc import Callable

from comity.client.monitor.sources import TILES_AT_ONCE, LogSource
from comity.client.monitor.state import MAX_MONITORED_ENTRIES, LogState
from comity.record.checkpoint import Checkpoint
from comity.record.errors import BadProof
from comity.record.merkle import root
from comity.record.tile import ENTRIES, TILE_WIDTH, Tile

Progress = Callable[[int, int], None]
"""Called with the number of entries fetched so far, and the number that the log has."""


async def fetch_entries(
    state: LogState, source: LogSource, checkpoint: Checkpoint, progress: Progress
) -> None:
    """Fetch the entries that ``state`` lacks, and check them against the checkpoint's root.

    Raises:
        LimitExceeded: the log has more than MAX_MONITORED_ENTRIES.
        BadProof: all entries, fetched anew, lead to another root.
        Unavailable, BadTile: as ``LogSource.entries``.
    """
    size = checkpoint.size
    MAX_MONITORED_ENTRIES.check(size, "log")
    await _fetch(state, source, size, progress)
    if root(size, state.read) == checkpoint.root:
        return

    # what was remembered may be damaged, so all of it is fetched anew before the log is blamed
    state.cut(0)
    await _fetch(state, source, size, progress)
    found = root(size, state.read)
    if found != checkpoint.root:
        state.cut(0)
        message = f"expected entries that lead to {checkpoint.root.hex()}, got {found.hex()}"
        raise BadProof(message, field="entries")


async def _fetch(state: LogState, source: LogSource, size: int, progress: Progress) -> None:
    while (have := state.count) < size:
        # C2SP tlog-tiles: the last tile is partial, as wide as the log has entries for it
        first = have // TILE_WIDTH
        end = min(first + TILES_AT_ONCE, -(-size // TILE_WIDTH))
        tiles = [
            Tile(ENTRIES, index, min(TILE_WIDTH, size - index * TILE_WIDTH))
            for index in range(first, end)
        ]

        found = [entry for tile in await source.entries(tiles) for entry in tile]
        state.append(found[have % TILE_WIDTH :])
        progress(state.count, size)
