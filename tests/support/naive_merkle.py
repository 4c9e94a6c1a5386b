"""Merkle trees, written down as RFC 6962, section 2.1, defines them, without the product's code.

Leaves are given by their hashes. Each function is as slow as its definition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from comity.record.merkle import ReadHashes


def hash_of_leaf(leaf: bytes) -> bytes:
    """Return the hash of a leaf (section 2.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def naive_root(hashes: Sequence[bytes]) -> bytes:
    """Return MTH (section 2.1)."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = _split(len(hashes))
    return _parent(naive_root(hashes[:k]), naive_root(hashes[k:]))


def naive_path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """Return PATH, the inclusion proof of leaf ``m`` (section 2.1.1)."""
    if len(hashes) == 1:
        return []
    k = _split(len(hashes))
    if m < k:
        return [*naive_path(m, hashes[:k]), naive_root(hashes[k:])]
    return [*naive_path(m - k, hashes[k:]), naive_root(hashes[:k])]


def naive_subproof(m: int, hashes: Sequence[bytes], whole: bool) -> list[bytes]:
    """Return SUBPROOF, the consistency proof of the first ``m`` leaves (section 2.1.2)."""
    if m == len(hashes):
        return [] if whole else [naive_root(hashes)]
    k = _split(len(hashes))
    if m <= k:
        return [*naive_subproof(m, hashes[:k], whole), naive_root(hashes[k:])]
    return [*naive_subproof(m - k, hashes[k:], False), naive_root(hashes[:k])]


def hash_reader(leaves: Sequence[bytes]) -> ReadHashes:
    """Return a function that reads the hashes of perfect subtrees over ``leaves``."""
    levels = [[hash_of_leaf(leaf) for leaf in leaves]]
    while len(below := levels[-1]) > 1:
        pairs = zip(below[::2], below[1::2], strict=False)
        levels.append([_parent(left, right) for left, right in pairs])
    return lambda nodes: [levels[level][index] for level, index in nodes]


def _split(size: int) -> int:
    """Return the largest power of two that is smaller than ``size``."""
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def _parent(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
