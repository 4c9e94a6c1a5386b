"""Tiles: a log's hashes and entries as files that never change (C2SP tlog-tiles).

    tile/<level>/<index>[.p/<width>]     hashes of nodes at tree level 8 * level
    tile/entries/<index>[.p/<width>]     entries, each after its length (two bytes, big-endian)

The index is written in groups of three digits, all but the last after an "x": 1234067 is
x001/x234/067. A tile is 256 wide; the last tile of a level may be partial. Invariants: a path has
one spelling, and ``Tile.parse`` accepts no other; the tree levels between two levels of tiles are
not stored, but computed from the tile below them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from comity.record.errors import BadTile, NotFound
from comity.record.limits import MAX_ENTRY_BYTES
from comity.record.merkle import HASH_BYTES, MAX_TREE_SIZE, Node, ReadHashes, node_hashes

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 256

ENTRIES: Final = -1
"""The level of tiles that hold entries instead of hashes."""

_MAX_PATH_CHARS: Final = 64
"""The longest path, of entries up to MAX_TREE_SIZE, has 42 characters."""

_PATH: Final = re.compile(
    r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a log: ``width`` hashes, or entries if ``level`` is ENTRIES.

    ``index`` counts the tiles of a level from the left; ``width`` is 1 to 256, below 256 only in
    the last tile of its level.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """The tile's path below the log's prefix, without a leading slash."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = f".p/{self.width}" if self.width < TILE_WIDTH else ""
        return f"tile/{level}/{_groups(self.index)}{partial}"

    @classmethod
    def parse(cls, path: str) -> Tile:
        """Read a tile's path.

        Raises:
            BadTile: the text differs from what ``path`` writes, or the tile lies beyond
                MAX_TREE_SIZE.
        """
        match = _PATH.fullmatch(path) if len(path) <= _MAX_PATH_CHARS else None
        if match is None:
            raise BadTile(f"expected tile/<level>/<index>[.p/<width>], got {path!r:.100}")

        level = ENTRIES if match[1] == "entries" else int(match[1])
        index = int(match[2].replace("x", "").replace("/", ""))
        tile = cls(level, index, int(match[3] or TILE_WIDTH))

        # such as leading zeros, or a full tile written as a partial one
        if not 1 <= tile.width <= TILE_WIDTH or tile.path != path:
            raise BadTile(f"expected a path in its one spelling, got {path!r}")
        if not tile.fits(MAX_TREE_SIZE):
            raise BadTile(f"expected a tile of at most {MAX_TREE_SIZE} leaves, got {path!r}")
        return tile

    @property
    def nodes(self) -> list[Node]:
        """The nodes whose hashes make up a tile of hashes, left to right."""
        first = self.index * TILE_WIDTH
        return [(TILE_HEIGHT * self.level, first + i) for i in range(self.width)]

    def fits(self, size: int) -> bool:
        """True if a tree of ``size`` leaves has this tile, in this width or wider."""
        # C2SP tlog-tiles: level l has floor(size / 256^l) complete nodes
        complete = size >> TILE_HEIGHT * max(self.level, 0)
        return self.index * TILE_WIDTH + self.width <= complete


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield the tiles of hashes of a tree of ``size`` leaves, the partial ones included.

    The lowest level comes first, each level from the left: about ``size / 255`` tiles.
    """
    level = 0
    while size:
        full, rest = divmod(size, TILE_WIDTH)
        yield from (Tile(level, index) for index in range(full))
        if rest:
            yield Tile(level, full, rest)
        level, size = level + 1, full


def tile_of(node: Node, size: int) -> Tile:
    """Return the tile that determines a node's hash, in its width in a tree of ``size`` leaves.

    Raises:
        BadTile: the node does not lie within the tree.
    """
    level, index = node
    if level < 0 or index < 0 or (index + 1) << level > size:
        raise BadTile(f"expected a node within {size} leaves, got index {index} of level {level}")

    tile_level, rest = divmod(level, TILE_HEIGHT)
    tile_index = (index << rest) // TILE_WIDTH
    width = (size >> TILE_HEIGHT * tile_level) - tile_index * TILE_WIDTH
    return Tile(tile_level, tile_index, min(width, TILE_WIDTH))


def hash_in(data: bytes, node: Node) -> bytes:
    """Return the hash (32 bytes) of a node from the bytes of its tile, of any sufficient width.

    Raises:
        BadTile: the tile is too short.
    """
    level, index = node
    count = 1 << level % TILE_HEIGHT
    first = index * count % TILE_WIDTH
    run = data[first * HASH_BYTES : (first + count) * HASH_BYTES]
    if len(run) != count * HASH_BYTES:
        raise BadTile(f"expected at least {first + count} hashes, got {len(data) // HASH_BYTES}")

    # up to 7 levels between two levels of tiles
    while len(run) > HASH_BYTES:
        run = node_hashes(run)
    return run


FetchTiles = Callable[[Sequence[Tile]], Sequence[bytes]]
"""Returns the bytes of each tile, in the given order; empty bytes for a tile that is not kept."""


def reader(fetch: FetchTiles, size: int) -> ReadHashes:
    """Return a reader of the hashes of a tree of ``size`` leaves that is kept as tiles.

    The reader fetches each tile once. It authenticates nothing: a root or proof made from its
    hashes must be checked against a signed checkpoint.

    The reader raises:
        BadTile: a node lies beyond the tree, or a tile has the wrong length.
        NotFound: a tile is not kept.
    """
    known: dict[Tile, bytes] = {}

    def read(nodes: Sequence[Node]) -> list[bytes]:
        tiles = [tile_of(node, size) for node in nodes]
        missing = [tile for tile in dict.fromkeys(tiles) if tile not in known]
        known.update(zip(missing, _fetched(fetch, missing), strict=True))
        return [hash_in(known[tile], node) for tile, node in zip(tiles, nodes, strict=True)]

    return read


def _fetched(fetch: FetchTiles, tiles: list[Tile]) -> list[bytes]:
    found = dict(zip(tiles, fetch(tiles), strict=True)) if tiles else {}

    # C2SP tlog-tiles: a log may delete a partial tile once the full one exists
    dropped = [tile for tile in tiles if not found[tile] and tile.width < TILE_WIDTH]
    if dropped:
        full = fetch([replace(tile, width=TILE_WIDTH) for tile in dropped])
        found.update(zip(dropped, full, strict=True))

    for tile, data in found.items():
        if not data:
            raise NotFound("the log does not keep this tile", field=tile.path)
        if len(data) not in (tile.width * HASH_BYTES, TILE_WIDTH * HASH_BYTES):
            message = f"expected {tile.width} hashes of {HASH_BYTES} bytes, got {len(data)} bytes"
            raise BadTile(message, field=tile.path)
    return [found[tile] for tile in tiles]


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of a tile of entries.

    Raises:
        LimitExceeded: an entry over MAX_ENTRY_BYTES.
    """
    for number, entry in enumerate(entries):
        MAX_ENTRY_BYTES.check(len(entry), f"entries[{number}]")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def decode_entries(data: bytes) -> list[bytes]:
    """Return the entries of a tile of entries, at most 256.

    Raises:
        BadTile: the data is cut short, or holds more than 256 entries.
    """
    entries: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")

        if len(entries) == TILE_WIDTH:
            raise BadTile(f"expected at most {TILE_WIDTH} entries, got more", field="entries")
        if start > len(data) or position > len(data):
            message = f"expected bytes up to {position}, got {len(data)}"
            raise BadTile(message, field=f"entries[{len(entries)}]")

        entries.append(data[start:position])
    return entries


def _groups(index: int) -> str:
    """Write an index in groups of three digits: all but the last begin with an x."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)  # up to the next multiple of three
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
