"""Checkpoints of the own log (invariant 8; C2SP tlog-checkpoint)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import select

from comity.node.database.alarms import list_alarms
from comity.node.database.store import Store
from comity.node.database.tables import (
    CheckpointRow,
    CosignatureRow,
    LogEntryRow,
    LogHeadRow,
    LogTileRow,
)
from comity.node.log import tree
from comity.node.log.checkpoints import KEPT, Signer
from comity.node.log.proofs import (
    cosigned_checkpoint,
    newest_checkpoint,
    prove_consistency,
    prove_inclusion,
    published_tiles,
)
from comity.node.node import Node
from comity.record.checkpoint import open_checkpoint
from comity.record.errors import LimitExceeded, NotFound
from comity.record.merkle import leaf_hash, verify_consistency, verify_inclusion
from comity.record.note import Verifier
from tests.support.databases import NewDatabase
from tests.support.institutes import HandClock
from tests.support.log_store import entry, grow
from tests.support.network import make_home

UK = "uk.aisi.example"


@pytest.fixture
def node(tmp_path: Path, new_database: NewDatabase) -> Iterator[Node]:
    """Return a node that only the test moves."""
    node = Node(make_home(tmp_path, UK, database=new_database()), HandClock())
    yield node
    node.close()


def verifiers(node: Node) -> list[Verifier]:
    return [Verifier.parse(key) for key in node.bundle.log_keys]


def signed(node: Node, count: int) -> int:
    """Log so many leaves more and sign; return the size."""
    grow(node.store, count)
    assert node.signer.sign()
    with node.store.read() as session:
        return newest_checkpoint(session).size


def test_checkpoint_is_signed_by_the_key_in_the_bundle(node: Node) -> None:
    signed(node, 5)
    with node.store.read() as session:
        checkpoint, _ = open_checkpoint(newest_checkpoint(session).note, verifiers(node))
        assert (checkpoint.origin, checkpoint.size) == (f"log.{UK}", 5)
        assert checkpoint.root == tree.tree_root(session, 5)


def test_empty_log_has_a_checkpoint_too(node: Node) -> None:
    assert node.signer.sign()
    with node.store.read() as session:
        assert open_checkpoint(newest_checkpoint(session).note, verifiers(node))[0].size == 0


def test_one_signature_covers_all_that_was_committed_before(node: Node) -> None:
    for count in (1, 2, 3):
        grow(node.store, count)
    assert node.signer.sign()
    assert not node.signer.sign()
    with node.store.read() as session:
        assert [row.size for row in session.exec(select(CheckpointRow))] == [6]


def test_each_checkpoint_continues_the_one_before(node: Node) -> None:
    sizes = [signed(node, count) for count in (3, 255, 1, 300)]
    with node.store.read() as session:
        for old, new in pairwise(sizes):
            proof = prove_consistency(session, old, new)
            roots = tree.tree_root(session, old), tree.tree_root(session, new)
            verify_consistency(old, new, *roots, proof)
        assert prove_consistency(session, 10_000, sizes[-1]) == []


def test_a_tree_that_lost_leaves_halts_the_signer(node: Node) -> None:
    signed(node, 3)
    with node.store.write() as session:
        session.connection().execute(sa.delete(LogEntryRow).where(LogEntryRow.log_index == 2))
        session.connection().execute(sa.delete(LogTileRow))
    assert not node.signer.sign()
    with node.store.read() as session:
        (alarm,) = list_alarms(session)
        assert (alarm.institute, alarm.reason) == (UK, "LOG_INCONSISTENT")
        assert "2 leaves, but 3 were signed" in alarm.message
        assert newest_checkpoint(session).size == 3


def test_a_tree_whose_past_was_changed_halts_the_signer_for_good(node: Node) -> None:
    signed(node, 300)
    with node.store.write() as session:
        tile = session.get_one(LogTileRow, (0, 1))
        tile.hashes = leaf_hash(b"another") + tile.hashes[32:]
        session.add(tile)
        session.flush()
    grow(node.store, 1)
    assert not node.signer.sign()
    grow(node.store, 1)
    assert not node.signer.sign()
    with node.store.read() as session:
        assert session.get_one(LogHeadRow, 1).halted.startswith(
            "the first 300 leaves are not those"
        )
        assert newest_checkpoint(session).size == 300


def test_crash_after_the_commit_and_before_the_signature_leads_to_the_same_note(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(node.store, 4)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Signer, "_keep", crash)
        with pytest.raises(KeyboardInterrupt):
            node.signer.sign()
    with node.store.read() as session:
        assert session.get_one(LogHeadRow, 1).size == 4
        with pytest.raises(NotFound):
            newest_checkpoint(session)
    assert node.signer.sign()
    with node.store.read() as session:
        assert newest_checkpoint(session).size == 4


def cosign(store: Store, size: int, *witnesses: str) -> None:
    with store.write() as session:
        for witness in witnesses:
            line = f"— {witness} AAAA\n".encode()
            row = CosignatureRow(size=size, witness=witness, line=line, cosigned_time=0)
            session.add(row)


def test_evidence_takes_the_checkpoint_that_most_witnesses_cosigned(node: Node) -> None:
    for size, witnesses in ((3, "abc"), (6, "ab"), (9, "")):
        assert signed(node, 3) == size
        cosign(node.store, size, *witnesses)
    with node.store.read() as session:
        assert cosigned_checkpoint(session, 0).size == 3
        assert cosigned_checkpoint(session, 3).size == 6
        assert cosigned_checkpoint(session, 8).size == 9
        assert cosigned_checkpoint(session, 0).note.count("— ".encode()) == 4
        with pytest.raises(NotFound):
            cosigned_checkpoint(session, 9)


def test_old_checkpoints_are_dropped_but_for_the_newest_and_the_newest_cosigned(
    node: Node,
) -> None:
    for size in range(1, KEPT + 5):
        signed(node, 1)
        cosign(node.store, size, "w")
    for _ in range(KEPT + 3):
        signed(node, 1)
    last = 2 * KEPT + 7
    with node.store.read() as session:
        kept = sorted(session.exec(select(CheckpointRow.size)))
        assert kept == [*range(5, KEPT + 5), *range(last - KEPT + 1, last + 1)]
        assert len(session.exec(select(CosignatureRow)).all()) == KEPT


def test_inclusion_is_of_a_signed_tree(node: Node) -> None:
    signed(node, 300)
    grow(node.store, 5)
    with node.store.read() as session:
        proof = prove_inclusion(session, entry(7).record_id)
        checkpoint, _ = open_checkpoint(proof.checkpoint, verifiers(node))
        assert checkpoint.size == 300
        verify_inclusion(leaf_hash(entry(7).leaf), 7, 300, proof.hashes, checkpoint.root)
        with pytest.raises(NotFound, match="no checkpoint"):
            prove_inclusion(session, entry(302).record_id)
        with pytest.raises(NotFound, match="is not in this log"):
            prove_inclusion(session, "f" * 64)


def test_tiles_are_shown_as_far_as_they_were_signed(node: Node) -> None:
    signed(node, 300)
    grow(node.store, 5)
    with node.store.read() as session:
        assert list(map(len, published_tiles(session, ["tile/0/000", "tile/0/001.p/44"]))) == [
            8192,
            44 * 32,
        ]
        with pytest.raises(NotFound):
            published_tiles(session, ["tile/0/001.p/45"])
        with pytest.raises(NotFound):
            published_tiles(session, ["tile/entries/001.p/45"])
        with pytest.raises(LimitExceeded):
            published_tiles(session, ["tile/0/000"] * 33)
