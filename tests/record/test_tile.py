"""Tiles: their paths, which of them hold a tree, and proofs that are read from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.record.errors import BadTile, LimitExceeded, NotFound
from comity.record.limits import MAX_ENTRY_BYTES
from comity.record.merkle import MAX_TREE_SIZE, consistency_proof, inclusion_proof, root
from comity.record.tile import (
    ENTRIES,
    FetchTiles,
    Tile,
    decode_entries,
    encode_entries,
    hash_in,
    reader,
    tile_of,
    tiles_of,
)
from tests.support.naive_merkle import hash_reader

SIZE = 70_000
READ = hash_reader([b"%d" % i for i in range(SIZE)])


def kept_for(size: int) -> dict[Tile, bytes]:
    """Return the tiles that a log of this size keeps."""
    return {tile: b"".join(READ(tile.nodes)) for tile in tiles_of(size)}


TILES = kept_for(SIZE)


def fetching(tiles: dict[Tile, bytes]) -> FetchTiles:
    return lambda wanted: [tiles.get(tile, b"") for tile in wanted]


def test_tree_of_the_specification_has_its_tiles() -> None:
    tiles = list(tiles_of(SIZE))
    assert sum(t.level == 0 and t.width == 256 for t in tiles) == 273
    assert [t.path for t in tiles if t.level or t.width < 256] == [
        "tile/0/273.p/112",
        "tile/1/000",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]
    assert [t.path for t in tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert list(tiles_of(0)) == []


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(0, 67, 5), "tile/0/067.p/5"),
        (Tile(1, 1000, 255), "tile/1/x001/000.p/255"),
        (Tile(ENTRIES, 1_234_067, 1), "tile/entries/x001/x234/067.p/1"),
        (Tile(6, 0, 32), "tile/6/000.p/32"),
        (Tile(ENTRIES, 2**45 - 1), "tile/entries/x035/x184/x372/x088/831"),
    ],
)
def test_path_of_a_tile_reads_back(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/0",
        "tile/0/1000",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/x000/001",
        "tile/00/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/0/000.p/0",
        "tile/0/000.p/05",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/",
        "tile/0/../000",
        "tile/0/٠٠٠",
        "tile/0/000\n",
        "tile/0/" + "x999/" * 100_000 + "999",
        "tile/64/000",
        "tile/7/000.p/1",
        "tile/6/000.p/33",
        "tile/0/x035/x184/x372/x088/832",
    ],
)
def test_any_other_path_is_refused(path: str) -> None:
    with pytest.raises(BadTile):
        Tile.parse(path)


@given(st.integers(1, SIZE), st.data())
def test_proofs_read_from_tiles_are_those_of_the_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    whole = {t: d for t, d in TILES.items() if t.fits(size)}
    edge = {t: b"".join(READ(t.nodes)) for t in map(partial_at(size), range(3)) if t.width}
    read = reader(fetching(whole | edge), size)
    assert root(size, read) == root(size, READ)
    assert inclusion_proof(index, size, read) == inclusion_proof(index, size, READ)
    assert consistency_proof(index, size, read) == consistency_proof(index, size, READ)


def partial_at(size: int) -> Callable[[int], Tile]:
    """Return what names the partial tile of a level; its width is 0 where there is none."""
    return lambda level: Tile(level, (size >> 8 * level) // 256, (size >> 8 * level) % 256)


def test_each_tile_is_fetched_once() -> None:
    asked: list[Tile] = []

    def fetch(tiles: Sequence[Tile]) -> list[bytes]:
        asked.extend(tiles)
        return [TILES[tile] for tile in tiles]

    read = reader(fetch, SIZE)
    for index in (0, 1, 255, 256, SIZE - 1):
        inclusion_proof(index, SIZE, read)
    assert len(asked) == len(set(asked)) <= 7


def test_partial_tile_that_is_gone_is_read_from_the_full_one() -> None:
    asked: list[str] = []

    def fetch(tiles: Sequence[Tile]) -> list[bytes]:
        asked.extend(tile.path for tile in tiles)
        return [TILES.get(tile, b"") for tile in tiles]

    read = reader(fetch, 300)
    assert root(300, read) == root(300, READ)
    assert asked == ["tile/1/000.p/1", "tile/0/001.p/44", "tile/1/000", "tile/0/001"]


def test_tile_that_is_nowhere_is_named() -> None:
    with pytest.raises(NotFound, match=r"tile/0/001\.p/44"):
        root(300, reader(fetching({Tile(1, 0): TILES[Tile(1, 0)]}), 300))


@pytest.mark.parametrize("length", [1, 43 * 32, 44 * 32 + 1, 45 * 32, 257 * 32])
def test_tile_of_another_length_is_refused(length: int) -> None:
    tiles = TILES | {Tile(0, 1, 44): bytes(length)}
    with pytest.raises(BadTile, match=r"tile/0/001\.p/44: expected 44 hashes"):
        root(300, reader(fetching(tiles), 300))


def test_node_beyond_the_tree_is_in_no_tile() -> None:
    assert tile_of((8, 0), 256) == Tile(1, 0, 1)
    assert tile_of((3, 2), 24) == Tile(0, 0, 24)
    for node in ((0, 24), (3, 3), (5, 0), (-1, 0), (0, -1)):
        with pytest.raises(BadTile):
            tile_of(node, 24)


def test_hash_that_a_short_tile_does_not_hold_is_refused() -> None:
    data = b"".join(READ(Tile(0, 0, 7).nodes))
    assert hash_in(data, (2, 0)) == READ([(2, 0)])[0]
    with pytest.raises(BadTile, match="expected at least 8 hashes, got 7"):
        hash_in(data, (2, 1))


def test_tile_fits_a_tree_that_has_all_of_it() -> None:
    assert Tile(0, 0, 5).fits(5)
    assert not Tile(0, 0, 6).fits(5)
    assert Tile(1, 0, 1).fits(256)
    assert not Tile(1, 0, 1).fits(255)
    assert Tile(ENTRIES, 1, 44).fits(300)
    assert not Tile(ENTRIES, 1, 45).fits(300)
    assert Tile(6, 0, 32).fits(MAX_TREE_SIZE)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_entries_read_back(entries: list[bytes]) -> None:
    assert decode_entries(encode_entries(entries)) == entries


def test_entry_is_preceded_by_its_length_in_two_bytes() -> None:
    assert encode_entries([b"ab", b""]) == b"\x00\x02ab\x00\x00"
    assert decode_entries(encode_entries([bytes(MAX_ENTRY_BYTES)])) == [bytes(MAX_ENTRY_BYTES)]
    with pytest.raises(LimitExceeded, match=r"entries\[1\].*MAX_ENTRY_BYTES"):
        encode_entries([b"", bytes(MAX_ENTRY_BYTES + 1)])


@pytest.mark.parametrize("data", [b"\x00", b"\x00\x01", b"\x00\x02a", b"\x00\x00\xff", b"\xff\xff"])
def test_entries_cut_short_are_refused(data: bytes) -> None:
    with pytest.raises(BadTile, match="entries"):
        decode_entries(data)


def test_more_entries_than_a_tile_holds_are_refused() -> None:
    assert len(decode_entries(bytes(512))) == 256
    with pytest.raises(BadTile, match="at most 256 entries"):
        decode_entries(bytes(514))
