"""Merkle trees: the specification's own tree, public vectors, and a naive tree of RFC 6962."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.record.errors import BadProof
from comity.record.merkle import (
    EMPTY_ROOT,
    MAX_TREE_SIZE,
    Node,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.support.naive_merkle import (
    hash_of_leaf,
    hash_reader,
    naive_path,
    naive_root,
    naive_subproof,
)
from tests.support.paths import VECTORS

EXPECTED: dict[str, Any] = json.loads((VECTORS / "rfc6962.json").read_text())
MAX_LEAVES = 300
LEAVES = [f"leaf {i}".encode() for i in range(MAX_LEAVES)]
HASHES = [hash_of_leaf(leaf) for leaf in LEAVES]
SIZES = st.integers(1, MAX_LEAVES)


READ = hash_reader(LEAVES)


def spoiled(proof: list[bytes]) -> Iterator[list[bytes]]:
    """Yield proofs that differ from a good one in length, order or one bit."""
    yield [*proof, b""]
    yield [*proof, bytes(32)]
    yield [bytes(32), *proof]
    for i, value in enumerate(proof):
        yield proof[:i] + proof[i + 1 :]
        yield [*proof[:i], b"", *proof[i:]]
        yield [*proof[:i], value[:-1], *proof[i + 1 :]]
        yield [*proof[:i], value[:3] + bytes([value[3] ^ 8]) + value[4:], *proof[i + 1 :]]


def test_hashes_are_those_of_the_public_vectors() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == EXPECTED["roots"][0]
    leaf = "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert leaf_hash(b"L123456").hex() == leaf
    node = "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert node_hash(b"N123", b"N456").hex() == node


def test_public_vectors_hold() -> None:
    leaves = [bytes.fromhex(leaf) for leaf in EXPECTED["leaves"]]
    roots = [EMPTY_ROOT, *(bytes.fromhex(value) for value in EXPECTED["roots"])]
    read = hash_reader(leaves)
    assert [root(size, read) for size in range(len(roots))] == roots
    for index, size, hashes in EXPECTED["inclusion"]:
        proof = [bytes.fromhex(value) for value in hashes]
        assert inclusion_proof(index, size, read) == proof
        verify_inclusion(leaf_hash(leaves[index]), index, size, proof, roots[size])
    for old, new, hashes in EXPECTED["consistency"]:
        proof = [bytes.fromhex(value) for value in hashes]
        assert consistency_proof(old, new, read) == proof
        verify_consistency(old, new, roots[old], roots[new], proof)


def test_proofs_of_seven_leaves_are_those_that_rfc_6962_spells_out() -> None:
    read = hash_reader(LEAVES[:7])
    (a, b, c, d, e, f, j), (g, h, i), (k,) = (
        read([(level, index) for index in range(7 >> level)]) for level in range(3)
    )
    leaf = node_hash(i, j)
    assert inclusion_proof(0, 7, read) == [b, h, leaf]
    assert inclusion_proof(3, 7, read) == [c, g, leaf]
    assert inclusion_proof(4, 7, read) == [f, j, k]
    assert inclusion_proof(6, 7, read) == [i, k]
    assert consistency_proof(3, 7, read) == [c, d, g, leaf]
    assert consistency_proof(4, 7, read) == [leaf]
    assert consistency_proof(6, 7, read) == [i, j, k]
    assert root(7, read) == node_hash(node_hash(node_hash(a, b), h), node_hash(node_hash(e, f), j))


def test_root_of_every_size_is_that_of_rfc_6962() -> None:
    for size in range(MAX_LEAVES + 1):
        assert root(size, READ) == naive_root(HASHES[:size])


@given(SIZES, st.data())
def test_inclusion_proof_is_that_of_rfc_6962_and_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, READ)
    assert proof == naive_path(index, HASHES[:size])
    verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, naive_root(HASHES[:size]))


@given(SIZES, st.data())
def test_consistency_proof_is_that_of_rfc_6962_and_verifies(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(old, size, READ)
    assert proof == naive_subproof(old, HASHES[:size], True)
    verify_consistency(old, size, naive_root(HASHES[:old]), naive_root(HASHES[:size]), proof)


@given(SIZES, st.data())
def test_spoiled_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaf, proof, top = (
        leaf_hash(LEAVES[index]),
        inclusion_proof(index, size, READ),
        root(size, READ),
    )
    for bad in spoiled(proof):
        with pytest.raises(BadProof):
            verify_inclusion(leaf, index, size, bad, top)
    for other in {index - 1, index + 1, index ^ 2}:
        with pytest.raises(BadProof):
            verify_inclusion(leaf, other, size, proof, top)
    for wrong_leaf, wrong_root in ((leaf_hash(b"other"), top), (leaf, EMPTY_ROOT), (leaf, b"")):
        with pytest.raises(BadProof):
            verify_inclusion(wrong_leaf, index, size, proof, wrong_root)


@given(st.integers(2, MAX_LEAVES), st.data())
def test_spoiled_consistency_proof_is_refused(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new - 1))
    proof = consistency_proof(old, new, READ)
    before, after = root(old, READ), root(new, READ)
    for bad in spoiled(proof):
        with pytest.raises(BadProof):
            verify_consistency(old, new, before, after, bad)
    for wrong_before, wrong_after in ((after, before), (EMPTY_ROOT, after), (before, EMPTY_ROOT)):
        with pytest.raises(BadProof):
            verify_consistency(old, new, wrong_before, wrong_after, proof)


def test_two_roots_of_one_size_are_not_consistent() -> None:
    verify_consistency(7, 7, root(7, READ), root(7, READ), [])
    with pytest.raises(BadProof, match="root"):
        verify_consistency(7, 7, root(7, READ), root(8, READ), [])


def test_every_tree_begins_with_the_empty_one_and_needs_no_proof() -> None:
    assert consistency_proof(0, 5, READ) == []
    verify_consistency(0, 5, EMPTY_ROOT, root(5, READ), [])
    verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    for new, before, after in ((5, bytes(32), root(5, READ)), (0, EMPTY_ROOT, bytes(32))):
        with pytest.raises(BadProof, match="root"):
            verify_consistency(0, new, before, after, [])
    with pytest.raises(BadProof, match="expected 0 hashes, got 1"):
        verify_consistency(0, 5, EMPTY_ROOT, root(5, READ), [bytes(32)])


def test_wrong_number_of_hashes_is_told() -> None:
    with pytest.raises(BadProof, match="proof: expected 3 hashes, got 2"):
        verify_inclusion(bytes(32), 0, 8, [bytes(32)] * 2, bytes(32))
    with pytest.raises(BadProof, match=r"proof\[1\]: expected 32 bytes, got 31"):
        verify_inclusion(bytes(32), 0, 3, [bytes(32), bytes(31)], bytes(32))


def test_tree_with_a_hash_missing_gives_no_root_or_proof() -> None:
    def read(nodes: Sequence[Node]) -> Sequence[bytes]:
        return READ(nodes)[:-1]

    with pytest.raises(BadProof, match="tree: expected 3 hashes, got 2"):
        root(7, read)
    with pytest.raises(BadProof, match="tree: expected 4 hashes, got 3"):
        inclusion_proof(0, 7, read)


@pytest.mark.parametrize("size", [-1, MAX_TREE_SIZE + 1, 1 << 4096])
def test_size_out_of_range_is_refused_before_anything_is_read(size: int) -> None:
    read = CountingReader()
    with pytest.raises(BadProof, match="size"):
        root(size, read)
    with pytest.raises(BadProof, match="size"):
        inclusion_proof(0, size, read)
    with pytest.raises(BadProof, match="size"):
        consistency_proof(0, size, read)
    with pytest.raises(BadProof, match="size"):
        verify_inclusion(bytes(32), 0, size, [], bytes(32))
    with pytest.raises(BadProof, match="size"):
        verify_consistency(1, size, bytes(32), bytes(32), [])
    assert read.calls == []


def test_no_proof_is_made_of_a_leaf_or_tree_that_is_not_there() -> None:
    for index in (-1, 7, 8):
        with pytest.raises(BadProof, match="index: expected a leaf of the tree of 7 leaves"):
            inclusion_proof(index, 7, READ)
    for old in (-1, 8):
        with pytest.raises(BadProof, match="old_size: expected a size of at most 7"):
            consistency_proof(old, 7, READ)


class CountingReader:
    """Answers with zeros and keeps what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[Sequence[Node]] = []

    def __call__(self, nodes: Sequence[Node]) -> list[bytes]:
        self.calls.append(nodes)
        return [bytes(32)] * len(nodes)


@pytest.mark.parametrize("size", [1_000_000, MAX_TREE_SIZE - 1, MAX_TREE_SIZE])
def test_largest_trees_cost_one_read_of_few_hashes(size: int) -> None:
    read = CountingReader()
    root(size, read)
    proof = inclusion_proof(size // 3, size, read)
    consistency = consistency_proof(size // 3, size, read)
    assert len(read.calls) == 3
    assert max(map(len, read.calls)) <= 2 * size.bit_length()
    assert max(len(proof), len(consistency)) <= size.bit_length() + 1
