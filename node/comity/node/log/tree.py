"""The institute's Merkle tree, kept as tiles in the database (RFC 6962, C2SP tlog-tiles).

Invariants: a leaf is appended in the transaction that stores its record or root (invariant 4);
tiles hold exactly the hashes of the leaves that are there; a full tile never changes again. An
append writes one row for each tile that it touches; a read of any number of hashes is one query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlmodel import Session, select

from comity.node.database.rows import insert_rows, last_number
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import LogEntryRow, LogTileRow
from comity.record import merkle
from comity.record.merkle import HASH_BYTES, ReadHashes
from comity.record.tile import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    encode_entries,
    hash_in,
    reader,
)

TILE_BYTES = TILE_WIDTH * HASH_BYTES


class Entry(NamedTuple):
    """A leaf to append: the SHA-256 (hex) of the signed bytes, and the bytes of the leaf."""

    record_id: str
    leaf: bytes


def tree_size(session: Session) -> int:
    """Return the number of leaves."""
    return last_number(session, LogEntryRow.log_index, default=-1) + 1


def append(session: WriteSession, entries: Sequence[Entry]) -> int:
    """Append leaves, at least one; return the index of the first."""
    first = tree_size(session)
    rows = [
        {"log_index": first + number, "record_id": entry.record_id, "leaf": entry.leaf}
        for number, entry in enumerate(entries)
    ]
    insert_rows(session, LogEntryRow, rows)

    # each level takes the roots of the tiles that became full below it (C2SP tlog-tiles)
    new = merkle.leaf_hashes(entry.leaf for entry in entries)
    tiles: list[dict[str, Any]] = []
    level, start = 0, first
    while new:
        grown = _grow(session, level, start, new)
        new = b"".join(_tile_root(row["hashes"]) for row in grown if _is_full(row))
        tiles += grown
        level, start = level + 1, start // TILE_WIDTH

    # only the first tile of a level can be there already, shorter than it is now
    insert_rows(session, LogTileRow, tiles, replacing="hashes")
    return first


def hashes(session: Session, size: int) -> ReadHashes:
    """Return a function that reads hashes of the tree of the first ``size`` leaves."""
    return reader(lambda tiles: read_tiles(session, tiles), size)


def tree_root(session: Session, size: int) -> bytes:
    """Return the root (32 bytes) of the first ``size`` leaves (RFC 6962, section 2.1)."""
    return merkle.root(size, hashes(session, size))


def read_tiles(session: Session, tiles: Sequence[Tile]) -> list[bytes]:
    """Return the bytes of each tile, cut to its width; empty if the tree has no such tile yet."""
    # one query for all tiles of hashes, of which each row holds the full width so far
    places = {(tile.level, tile.index) for tile in tiles if tile.level != ENTRIES}
    which = sa.tuple_(LogTileRow.level, LogTileRow.position).in_(places)
    kept = {
        (row.level, row.position): row.hashes
        for row in session.exec(select(LogTileRow).where(which))
    }

    found = []
    for tile in tiles:
        if tile.level == ENTRIES:
            found.append(_read_entries(session, tile))
        else:
            data = kept.get((tile.level, tile.index), b"")[: tile.width * HASH_BYTES]
            found.append(data if len(data) == tile.width * HASH_BYTES else b"")
    return found


def _grow(session: Session, level: int, start: int, hashes: bytes) -> list[dict[str, Any]]:
    """Return the changed tiles of a level after hashes were appended from place ``start`` on."""
    position, held = divmod(start, TILE_WIDTH)
    # hashes fill up the last tile of the level before they begin a new one
    if held:
        place = {"level": level, "position": position}
        hashes = session.connection().execute(_HELD, place).scalar_one() + hashes
    return [
        {"level": level, "position": position + number, "hashes": hashes[i : i + TILE_BYTES]}
        for number, i in enumerate(range(0, len(hashes), TILE_BYTES))
    ]


def _is_full(row: dict[str, Any]) -> bool:
    return len(row["hashes"]) == TILE_BYTES


def _tile_root(full: bytes) -> bytes:
    halves = (hash_in(full, (TILE_HEIGHT - 1, half)) for half in (0, 1))
    return merkle.node_hash(*halves)


def _read_entries(session: Session, tile: Tile) -> bytes:
    first = tile.index * TILE_WIDTH
    within = LogEntryRow.log_index.between(first, first + tile.width - 1)
    leaves = session.exec(
        select(LogEntryRow.leaf).where(within).order_by(LogEntryRow.log_index)
    ).all()
    return encode_entries(leaves) if len(leaves) == tile.width else b""


_HELD = sa.select(LogTileRow.hashes).where(
    LogTileRow.level == sa.bindparam("level"),
    LogTileRow.position == sa.bindparam("position"),
)
