"""Merkle trees: roots, inclusion proofs and consistency proofs (RFC 6962, section 2.1; SHA-256).

    root of nothing   SHA-256("")
    leaf              SHA-256(0x00 || data)
    inner node        SHA-256(0x01 || left || right)

A tree of n leaves splits at the largest power of two below n. Only perfect subtrees are read; the
hashes of the ragged right edge follow from them. Invariants: a root or proof costs O(log n) hashes
and one call of its ``read``; making and checking a proof walk the same spans of leaves, found by
one function; no tree is larger than MAX_TREE_SIZE.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from comity.record.errors import BadProof
from comity.record.limits import Limit

HASH_BYTES: Final = 32

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""

MAX_TREE_SIZE: Final = Limit("MAX_TREE_SIZE", 2**53, "leaves")
"""Leaves of a tree: every size is exact in an IEEE 754 double, every index fits I-JSON."""

Node = tuple[int, int]
"""``(level, index)``: the perfect subtree over leaves [index << level, (index + 1) << level)."""

ReadHashes = Callable[[Sequence[Node]], Sequence[bytes]]
"""Returns the hash (32 bytes) of each node, in the given order. If it returns fewer hashes, its
caller raises BadProof."""

Span = tuple[int, int]
"""``(begin, end)``: a run of leaves that is one subtree of the tree, perhaps not perfect."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash (32 bytes) of a leaf that holds ``data``."""
    # RFC 6962, section 2.1: the first byte tells leaves and inner nodes apart
    return hashlib.sha256(b"\x00" + data).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> bytes:
    """Return the hashes of leaves, side by side (32 bytes each)."""
    return b"".join([hashlib.sha256(b"\x00" + data).digest() for data in leaves])


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash (32 bytes) over two child hashes (32 bytes each)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def node_hashes(children: bytes) -> bytes:
    """Return the hash over each pair of child hashes, side by side (32 bytes each)."""
    pairs = range(0, len(children), 2 * HASH_BYTES)
    # one slice a node: most of the cost of a proof from tiles is here
    return b"".join(
        [hashlib.sha256(b"\x01" + children[i : i + 2 * HASH_BYTES]).digest() for i in pairs]
    )


def root(size: int, read: ReadHashes) -> bytes:
    """Return the root (32 bytes) of the tree of the first ``size`` leaves.

    Raises:
        BadProof: a size below 0 or above MAX_TREE_SIZE.
    """
    _check_size(size, "size")
    return _hashes_of([(0, size)], read)[0] if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: ReadHashes) -> list[bytes]:
    """Return the hashes that lead from leaf ``index`` to the root of ``size`` leaves, leaf first.

    Raises:
        BadProof: the size is above MAX_TREE_SIZE, or there is no such leaf.
    """
    # RFC 6962, section 2.1.1
    return _hashes_of(_path(index, size), read)


def consistency_proof(old: int, new: int, read: ReadHashes) -> list[bytes]:
    """Return the hashes that show that the tree of ``new`` leaves begins with that of ``old``.

    The proof is empty if ``old`` is 0 or equals ``new``.

    Raises:
        BadProof: a size is out of range, or ``old`` larger than ``new``.
    """
    # RFC 6962, section 2.1.2
    seed, siblings = _split(old, new)
    return _hashes_of([*seed, *siblings], read)


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that ``leaf`` (a leaf hash) stands at ``index`` in the tree of this size and root.

    Raises:
        BadProof: there is no such leaf, the number of hashes is wrong, or the root differs.
    """
    path = _path(index, size)
    _check_hashes(proof, len(path))

    found = leaf
    for (begin, _), sibling in zip(path, proof, strict=True):
        found = node_hash(sibling, found) if begin < index else node_hash(found, sibling)
    _check_root(found, root, size)


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of ``new`` leaves and root begins with that of ``old`` leaves and root.

    Every tree begins with the empty one, and the proof of that is empty (C2SP tlog-witness).

    Raises:
        BadProof: a size is out of range, ``old`` is larger than ``new``, the number of hashes is
            wrong, or one of the roots differs.
    """
    seed, siblings = _split(old, new)
    _check_hashes(proof, len(seed) + len(siblings))

    if old == 0:
        _check_root(EMPTY_ROOT, old_root, old)
        if new == 0:
            _check_root(EMPTY_ROOT, new_root, new)
        return

    # from the last whole subtree of the old tree upwards: a sibling on its left is in both trees,
    # one on its right only in the new one
    found_old = found_new = proof[0] if seed else old_root
    for (begin, _), sibling in zip(siblings, proof[len(seed) :], strict=True):
        if begin < old:
            found_old = node_hash(sibling, found_old)
            found_new = node_hash(sibling, found_new)
        else:
            found_new = node_hash(found_new, sibling)

    _check_root(found_old, old_root, old)
    _check_root(found_new, new_root, new)


def _path(index: int, size: int) -> list[Span]:
    """Return the siblings on the way from a leaf to the root."""
    _check_size(size, "size")
    if not 0 <= index < size:
        raise BadProof(f"expected a leaf of the tree of {size} leaves, got {index}", field="index")
    return [sibling for _, sibling in _descent(index, size)][::-1]


def _split(old: int, new: int) -> tuple[list[Span], list[Span]]:
    """Return the old tree's last whole subtree in the new tree, and its siblings up to the root.

    The first list is empty if that subtree is the whole old tree, whose root the verifier knows.
    """
    _check_size(new, "new_size")
    if not 0 <= old <= new:
        raise BadProof(f"expected a size of at most {new}, got {old}", field="old_size")
    if old == 0:
        return [], []

    siblings: list[Span] = []
    here = (0, new)
    for below, sibling in _descent(old - 1, new):
        if here[1] == old:
            break
        here = below
        siblings.append(sibling)
    return [here] if here[0] else [], siblings[::-1]


def _descent(index: int, size: int) -> Iterator[tuple[Span, Span]]:
    """Walk from the root to a leaf: yield the child that holds the leaf, and the other child."""
    begin, end = 0, size
    while end - begin > 1:
        # RFC 6962, section 2.1: the left child has the largest power of two below the number
        middle = begin + (1 << (end - begin - 1).bit_length() - 1)
        left, right = (begin, middle), (middle, end)
        here, sibling = (left, right) if index < middle else (right, left)
        yield here, sibling
        begin, end = here


def _nodes(span: Span) -> list[Node]:
    """Return the perfect subtrees that make up a span, left to right, so largest first."""
    begin, end = span
    nodes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        nodes.append((level, begin >> level))
        begin += 1 << level
    return nodes


def _hashes_of(spans: Sequence[Span], read: ReadHashes) -> list[bytes]:
    """Return the hash of each span, with at most one call of ``read``."""
    parts = [_nodes(span) for span in spans]
    wanted = [node for nodes in parts for node in nodes]
    found = read(wanted) if wanted else []
    if len(found) != len(wanted):
        raise BadProof(f"expected {len(wanted)} hashes, got {len(found)}", field="tree")
    hashes = iter(found)
    return [_fold([next(hashes) for _ in nodes]) for nodes in parts]


def _fold(hashes: list[bytes]) -> bytes:
    # largest subtree first, so the smallest two are hashed first
    found = hashes[-1]
    for left in reversed(hashes[:-1]):
        found = node_hash(left, found)
    return found


def _check_size(size: int, field: str) -> None:
    if not 0 <= size <= MAX_TREE_SIZE:
        raise BadProof(f"expected 0 to {MAX_TREE_SIZE} leaves, got {size}", field=field)


def _check_hashes(proof: Sequence[bytes], expected: int) -> None:
    if len(proof) != expected:
        raise BadProof(f"expected {expected} hashes, got {len(proof)}", field="proof")
    for number, value in enumerate(proof):
        if len(value) != HASH_BYTES:
            message = f"expected {HASH_BYTES} bytes, got {len(value)}"
            raise BadProof(message, field=f"proof[{number}]")


def _check_root(found: bytes, expected: bytes, size: int) -> None:
    if found != expected:
        message = f"expected root {expected.hex()} of {size} leaves, got {found.hex()}"
        raise BadProof(message, field="root")
