"""Merkle trees: the specification's own tree, public vectors, and a naive tree of RFC 6962."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from comity.record.merkle import (
    EMPTY_ROOT,
    Node,
    ReadHashes,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

MAX_LEAVES = 300
LEAVES = [f"leaf {i}".encode() for i in range(MAX_LEAVES)]
SIZES = st.integers(1, MAX_LEAVES)


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m: int, leaves: Sequence[bytes], whole: bool) -> list[bytes]:
    """RFC 6962, section 2.1.2, word for word."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], False), naive_root(leaves[:k])]


def split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def reading(leaves: Sequence[bytes]) -> ReadHashes:
    def hash_of(level: int, index: int) -> bytes:
        if level == 0:
            return leaf_hash(leaves[index])
        return node_hash(hash_of(level - 1, 2 * index), hash_of(level - 1, 2 * index + 1))

    return lambda nodes: [hash_of(*node) for node in nodes]


READ = reading(LEAVES)


class Counting:
    """A reader of a tree of any size, all of whose hashes are zero, that counts."""

    def __init__(self) -> None:
        self.calls: list[list[Node]] = []

    def __call__(self, nodes: Sequence[Node]) -> list[bytes]:
        self.calls.append(list(nodes))
        return [bytes(32)] * len(nodes)


def test_root_of_every_size_is_the_root_of_rfc_6962() -> None:
    assert root(0, READ) == EMPTY_ROOT == naive_root([])
    for size in range(1, MAX_LEAVES + 1):
        assert root(size, READ) == naive_root(LEAVES[:size])


@given(SIZES, st.data())
def test_inclusion_proof_is_that_of_rfc_6962_and_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, READ)
    assert proof == naive_path(index, LEAVES[:size])
    verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, naive_root(LEAVES[:size]))


@given(SIZES, st.data())
def test_consistency_proof_is_that_of_rfc_6962_and_verifies(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(old, size, READ)
    assert proof == naive_subproof(old, LEAVES[:size], True)
    verify_consistency(old, size, naive_root(LEAVES[:old]), naive_root(LEAVES[:size]), proof)
