"""Proofs that stand alone: one that another implementation made, and ones that must be refused."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.errors import BadProof, LimitExceeded
from comity.record.limits import MAX_PROOF_HASHES, MAX_TLOG_PROOF_BYTES
from comity.record.merkle import inclusion_proof, leaf_hash, root, verify_inclusion
from comity.record.note import Note
from comity.record.tlog_policy import LogPolicy
from comity.record.tlog_proof import TlogProof
from tests.support.naive_merkle import hash_reader
from tests.support.notes import LOG
from tests.support.paths import VECTORS

TORCHWOOD = (VECTORS / "torchwood.tlog-proof").read_bytes()

HEADER = "c2sp.org/tlog-proof@v1\n"
HASH = base64.b64encode(bytes(32)).decode()


def test_proof_of_another_implementation_proves_the_entry() -> None:
    proof = TlogProof.parse(TORCHWOOD)
    assert proof.to_bytes() == TORCHWOOD
    assert (proof.index, proof.extra, len(proof.hashes)) == (137, b"entry 137", 9)
    policy = LogPolicy.parse((VECTORS / "torchwood.policy").read_text())
    note = Note.parse(proof.checkpoint)
    assert set(policy.check(note)) == {"jp", "sg"}
    checkpoint = Checkpoint.parse(note.text)
    leaf = leaf_hash(b"entry 137")
    verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    with pytest.raises(BadProof, match="root"):
        verify_inclusion(
            leaf_hash(b"entry 138"), proof.index, checkpoint.size, proof.hashes, checkpoint.root
        )


def test_our_tree_and_proof_are_those_of_the_other_implementation() -> None:
    read = hash_reader([b"entry %d" % i for i in range(300)])
    proof = TlogProof.parse(TORCHWOOD)
    assert Checkpoint.parse(Note.parse(proof.checkpoint).text).root == root(300, read)
    assert proof.hashes == tuple(inclusion_proof(137, 300, read))


@pytest.mark.parametrize("extra", [None, b"", b"extra data"])
@pytest.mark.parametrize("hashes", [(), (bytes(32), b"h" * 32)])
def test_proof_reads_back(hashes: tuple[bytes, ...], extra: bytes | None) -> None:
    checkpoint = sign_checkpoint(Checkpoint(LOG.name, 7, bytes(32)), LOG).to_bytes()
    proof = TlogProof(0, hashes, checkpoint, extra)
    assert TlogProof.parse(proof.to_bytes()) == proof


def test_checkpoint_is_kept_byte_for_byte() -> None:
    odd = "text\n\n\n\n— not checked here\r\n".encode()
    assert TlogProof.parse(f"{HEADER}index 0\n\n".encode() + odd).checkpoint == odd


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the line c2sp.org/tlog-proof@v1 first"),
        ("wrong-header\nindex 0\n\nnote\n", "expected the line"),
        ("c2sp.org/tlog-proof@v2\nindex 0\n\nnote\n", "expected the line"),
        (f" {HEADER}index 0\n\nnote\n", "expected the line"),
        (HEADER.replace("\n", "\r\n") + "index 0\n\nnote\n", "expected the line"),
        (HEADER + "\nindex 0\n\nnote\n", "proof.index"),
        (HEADER + "index 0\n", "expected an empty line and a checkpoint"),
        (HEADER + "index 0\n\n", "expected an empty line and a checkpoint"),
        (HEADER + f"{HASH}\nindex 0\n\nnote\n", "proof.index"),
        (HEADER + "index 0\nextra AAAA\n\nnote\n", r"proof.hashes\[0\]: expected base64"),
        (HEADER + "extra !!!\nindex 0\n\nnote\n", "proof.extra: expected base64"),
        (HEADER + "extra AAAB=\nindex 0\n\nnote\n", "proof.extra: expected base64"),
        (HEADER + "extra AA\nindex 0\n\nnote\n", "proof.extra: expected base64"),
        (HEADER + "extra AB==\nindex 0\n\nnote\n", "proof.extra: expected base64"),
        (HEADER + "extra AAAA\nextra AAAA\nindex 0\n\nnote\n", "proof.index"),
        (HEADER + "index\n\nnote\n", "proof.index"),
        (HEADER + "index \n\nnote\n", "proof.index: expected a decimal number"),
        (HEADER + "index -5\n\nnote\n", "proof.index: expected a decimal number"),
        (HEADER + "index 05\n\nnote\n", "proof.index: expected a decimal number"),
        (HEADER + "index five\n\nnote\n", "proof.index: expected a decimal number"),
        (HEADER + "index 5 \n\nnote\n", "proof.index: expected a decimal number"),
        (HEADER + "index 5\nAAAA\n\nnote\n", r"hashes\[0\]: expected base64 of 32 bytes"),
        (HEADER + f"index 5\n{HASH}\n{HASH[:-1]}\n\nnote\n", r"hashes\[1\]: expected base64"),
        (HEADER + f"index 5\n{HASH} \n\nnote\n", r"hashes\[0\]: expected base64"),
        (HEADER + "index 5\n—\n\nnote\n", "expected ASCII"),
    ],
)
def test_proof_with_a_defect_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadProof, match=message):
        TlogProof.parse(text.encode())


def test_proof_over_its_limits_is_refused() -> None:
    hashes = f"{HASH}\n" * MAX_PROOF_HASHES
    assert len(TlogProof.parse(f"{HEADER}index 0\n{hashes}\nnote\n".encode()).hashes) == 63
    with pytest.raises(LimitExceeded, match="MAX_PROOF_HASHES"):
        TlogProof.parse(f"{HEADER}index 0\n{hashes}{HASH}\n\nnote\n".encode())
    with pytest.raises(LimitExceeded, match="MAX_TREE_SIZE"):
        TlogProof.parse(f"{HEADER}index {2**53 + 1}\n\nnote\n".encode())
    with pytest.raises(LimitExceeded, match="MAX_TLOG_PROOF_BYTES"):
        TlogProof.parse(HEADER.encode() + bytes(MAX_TLOG_PROOF_BYTES))


def test_proof_cut_anywhere_before_its_checkpoint_is_refused() -> None:
    start = TORCHWOOD.index(b"\n\n") + 2
    for cut in range(start + 1):
        with pytest.raises(BadProof):
            TlogProof.parse(TORCHWOOD[:cut])
    whole = TlogProof.parse(TORCHWOOD)
    assert TlogProof.parse(TORCHWOOD[: start + 1]) == replace(whole, checkpoint=b"l")
