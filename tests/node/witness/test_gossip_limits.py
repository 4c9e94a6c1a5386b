"""Gossip is bounded: what others tell takes few places and little work."""

from __future__ import annotations

import pytest

from comity.node.database.tables import SightingRow, SplitViewRow, WitnessedLogRow
from comity.node.witness.consistency import needed_tiles
from comity.node.witness.gossip import take_shared_checkpoints
from comity.node.witness.halting import MAX_SPLIT_VIEWS, resume_witnessing
from comity.record.errors import LimitExceeded
from comity.record.limits import MAX_CHECKPOINT_BYTES, MAX_PEERS
from comity.record.log import FIRST_LOG
from comity.record.note import Verifier
from tests.support.institutes import Institute
from tests.support.log_histories import History
from tests.support.witnesses import CA, FALSE, FR, history, take, told, waiting


def test_the_tiles_of_a_proof_are_few_whatever_the_size() -> None:
    assert needed_tiles(0, 10) == needed_tiles(10, 10) == []
    assert len(needed_tiles(2**52 - 12345, 2**53 - 1)) <= 32


def test_what_is_held_already_takes_no_place(three: list[Institute]) -> None:
    uk, ca, _ = three
    take(uk, history(ca), 8)
    commits = uk.node.store.commits()
    told(uk, history(ca), 8)
    assert uk.rows(SightingRow) == []
    assert uk.node.store.commits() == commits


def test_each_teller_has_one_place_for_each_log(three: list[Institute]) -> None:
    uk, ca, _ = three
    log = History(history(ca).signer, "x" * 300)
    take(uk, log, 299)
    told(uk, log, *range(1, 200))
    for size in range(200, 260):
        told(uk, log, size)
        told(uk, log, size, teller=CA)
    assert len(uk.rows(SightingRow)) == 2
    assert waiting(uk) == [259]


def test_a_flood_of_checkpoints_is_refused_whole(three: list[Institute]) -> None:
    uk, ca, _ = three
    note = history(ca).note(6).to_bytes()
    with pytest.raises(LimitExceeded, match="MAX_PEERS"):
        take_shared_checkpoints(uk.node, FR, [note] * (MAX_PEERS + 1))
    with pytest.raises(LimitExceeded, match=r"checkpoints\[1\]"):
        take_shared_checkpoints(uk.node, FR, [note, bytes(MAX_CHECKPOINT_BYTES + 1)])
    assert uk.rows(SightingRow) == []


def test_many_checkpoints_of_one_log_cost_no_more_than_one(
    three: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, ca, _ = three
    log = History(history(ca).signer, "x" * 100)
    checks, verify = [], Verifier.verify

    def counted(self: Verifier, signature: bytes, message: bytes) -> None:
        checks.append(self.name)
        verify(self, signature, message)

    monkeypatch.setattr(Verifier, "verify", counted)
    take_shared_checkpoints(uk.node, CA, [log.note(size).to_bytes() for size in range(1, 100)])
    assert waiting(uk) == [99]
    assert len(checks) <= 2


def test_evidence_against_one_log_is_bounded(three: list[Institute]) -> None:
    uk, ca, _ = three
    for number in range(MAX_SPLIT_VIEWS + 2):
        with uk.node.store.write() as session:
            if session.get(WitnessedLogRow, (CA, FIRST_LOG)):
                resume_witnessing(session, CA, anew=True)
        take(uk, history(ca), 8)
        with uk.node.store.write() as session:
            row = session.get_one(WitnessedLogRow, (CA, FIRST_LOG))
            row.passed_over = 0
            session.add(row)
            session.flush()
        told(uk, history(ca, f"{number % 10}{number // 10}" + FALSE), 8)
    assert len(uk.rows(SplitViewRow)) == MAX_SPLIT_VIEWS
