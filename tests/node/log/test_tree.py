"""The log's tree in the database (invariant 8; RFC 6962, C2SP tlog-tiles)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from comity.node.database.store import Store
from comity.node.log import tree
from comity.record.errors import NotFound
from comity.record.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from comity.record.tile import ENTRIES, Tile, decode_entries, tiles_of
from tests.support.databases import NewDatabase, sqlite_databases
from tests.support.log_store import entry, grow, open_store
from tests.support.naive_merkle import naive_root


def test_tree_without_leaves_has_the_empty_root(database: str) -> None:
    store = open_store(database)
    with store.read() as session:
        assert tree.tree_size(session) == 0
        assert tree.tree_root(session, 0) == EMPTY_ROOT
    store.close()


def test_roots_and_proofs_follow_from_the_leaves_however_they_were_batched(database: str) -> None:
    store = open_store(database)
    hashes = [leaf_hash(entry(i).leaf) for i in range(774)]
    for count in (1, 1, 253, 1, 1, 255, 256, 6):
        grow(store, count)
    with store.read() as session:
        assert tree.tree_size(session) == 774
        for size in (1, 2, 255, 256, 257, 511, 512, 513, 768, 774):
            assert tree.tree_root(session, size) == naive_root(hashes[:size])
        read, root = tree.hashes(session, 774), naive_root(hashes)
        for index in (0, 1, 255, 256, 511, 600, 773):
            verify_inclusion(hashes[index], index, 774, inclusion_proof(index, 774, read), root)
        for old in (1, 255, 256, 300, 512, 773):
            proof = consistency_proof(old, 774, read)
            verify_consistency(old, 774, naive_root(hashes[:old]), root, proof)
    store.close()


@settings(max_examples=15)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_batches_of_any_size_grow_the_same_tree(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int]
) -> None:
    store = open_store(sqlite_databases(tmp_path_factory.mktemp("tree"))())
    firsts = [grow(store, count) for count in counts]
    assert firsts == [sum(counts[:i]) for i in range(len(counts))]
    size = sum(counts)
    with store.read() as session:
        assert tree.tree_root(session, size) == naive_root(
            [leaf_hash(entry(i).leaf) for i in range(size)]
        )
        assert all(tree.read_tiles(session, list(tiles_of(size))))
    store.close()


def test_a_tile_is_cut_to_the_width_that_was_asked_for(database: str) -> None:
    store = open_store(database)
    grow(store, 300)
    with store.read() as session:
        asked = [Tile(0, 0, 5), Tile(0, 1, 44), Tile(0, 1, 45), Tile(1, 0, 1), Tile(ENTRIES, 1, 44)]
        narrow, partial, ahead, upper, entries = tree.read_tiles(session, asked)
        assert narrow == b"".join(leaf_hash(entry(i).leaf) for i in range(5))
        assert len(partial) == 44 * 32
        assert ahead == b""
        assert upper == naive_root([leaf_hash(entry(i).leaf) for i in range(256)])
        assert decode_entries(entries) == [entry(i).leaf for i in range(256, 300)]
        with pytest.raises(NotFound):
            tree.tree_root(session, 301)
    store.close()


def test_leaves_of_a_transaction_that_fails_leave_no_trace(database: str) -> None:
    store = open_store(database)
    grow(store, 3)
    with pytest.raises(IntegrityError), store.write() as session:
        tree.append(session, [entry(3), entry(2)])
    with store.read() as session:
        assert tree.tree_size(session) == 3
        assert tree.tree_root(session, 3) == naive_root(
            [leaf_hash(entry(i).leaf) for i in range(3)]
        )
    store.close()


def test_homes_from_before_the_tiles_get_them_from_their_leaves(new_database: NewDatabase) -> None:
    from alembic import command
    from alembic.config import Config

    import comity.node.database.store

    store = Store(new_database(empty=True))
    config = Config()
    folder = comity.node.database.store.__file__.rpartition("/")[0]
    config.set_main_option("script_location", f"{folder}/migrations")
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for number in range(300):
            values = (number, entry(number).record_id, entry(number).leaf)
            mark = "?" if connection.dialect.name == "sqlite" else "%s"
            into = f"INSERT INTO log_entry VALUES ({mark}, {mark}, {mark})"
            connection.exec_driver_sql(into, values)
    store.upgrade()
    with store.read() as session:
        assert tree.tree_root(session, 300) == naive_root(
            [leaf_hash(entry(i).leaf) for i in range(300)]
        )
    store.close()
