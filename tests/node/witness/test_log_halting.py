"""A node that finds a log going back or refusing proof halts it, and goes on once all is well."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.node.database.tables import SplitViewRow
from comity.node.server.background import log_proofs
from comity.node.witness.gossip import take_shared_checkpoints
from comity.node.witness.halting import resume_witnessing
from comity.record import split_view
from comity.record.errors import BadTile, NotFound, Unavailable
from tests.support.forked_logs import (
    forked_log,
    holds_checkpoint,
    is_split,
    note_verifiers,
    witnessed_row,
)
from tests.support.log_histories import History, forking
from tests.support.network import make_home, run, serving, until
from tests.support.witnesses import reasons

UK, CA, FR = "uk.aisi.example", "ca.aisi.example", "fr.aisi.example"

TRUE, FALSE = "abcdefghij", "abcdeXghij"

pytestmark = pytest.mark.usefixtures("quick_witnessing")


def test_a_log_that_replaces_its_history_is_halted_with_evidence(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = forked_log(tmp_path, uk=TRUE[:7])
        async with serving(make_home(tmp_path, UK)) as uk, forking(log, uk):
            await until(lambda: (UK, 7) in log.cosigned, "a cosignature")
            log.histories[UK] = History(log.histories[UK].signer, FALSE)
            await until(lambda: is_split(uk), "the alarm")
            [row] = uk.rows(SplitViewRow)
            evidence = split_view.SplitView.parse(row.evidence)
            assert evidence.check(note_verifiers(log.home.bundle().log_keys))
            log.histories[UK] = History(log.histories[UK].signer, TRUE)
            with uk.node.store.write() as session:
                resume_witnessing(session, CA, anew=False)
            await until(lambda: log.cosigned[-1] == (UK, 10), "a cosignature of the true history")

    run(scenario())


def test_a_log_that_cannot_show_its_tiles_is_halted_without_evidence(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = forked_log(tmp_path, uk=TRUE[:7])
        log.refuses_tiles = BadTile("no such tile")
        async with serving(make_home(tmp_path, UK)) as uk, forking(log, uk):
            await until(lambda: log.cosigned, "a cosignature")
            log.histories[UK] = History(log.histories[UK].signer, FALSE)
            await until(lambda: reasons(uk, CA) == ["LOG_INCONSISTENT"], "the alarm")
            assert uk.rows(SplitViewRow) == []

    run(scenario())


def test_a_log_that_goes_back_is_halted_until_it_is_resumed(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = forked_log(tmp_path, uk=TRUE)
        async with serving(make_home(tmp_path, UK)) as uk, forking(log, uk):
            await until(lambda: (UK, 10) in log.cosigned, "a cosignature")
            log.histories[UK] = History(log.histories[UK].signer, TRUE[:4])
            await until(lambda: reasons(uk, CA) == ["LOG_ROLLED_BACK"], "the alarm")
            assert set(log.cosigned) == {(UK, 10)}
            with uk.node.store.write() as session:
                resume_witnessing(session, CA, anew=True)
            await until(lambda: log.cosigned[-1] == (UK, 4), "a new beginning")
            assert reasons(uk, CA) == []

    run(scenario())


def test_a_log_that_refuses_a_proof_for_what_it_signed_is_halted(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = forked_log(tmp_path, uk=TRUE)
        log.refuses_tiles = NotFound("no such tile")
        async with serving(make_home(tmp_path, UK)) as uk, forking(log, uk):
            await until(lambda: log.cosigned, "a cosignature")
            take_shared_checkpoints(uk.node, FR, [log.histories[UK].note(6).to_bytes()])
            await until(lambda: reasons(uk, CA) == ["LOG_INCONSISTENT"], "the alarm")

    run(scenario())


def test_a_log_that_has_no_time_for_a_proof_is_given_some(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = forked_log(tmp_path, uk=TRUE)
        log.refuses_tiles = Unavailable("busy")
        async with serving(make_home(tmp_path, UK)) as uk, forking(log, uk):
            await until(lambda: log.cosigned, "a cosignature")
            take_shared_checkpoints(uk.node, FR, [log.histories[UK].note(6).to_bytes()])
            log.histories[UK] = History(log.histories[UK].signer, TRUE * 2)
            await until(lambda: holds_checkpoint(uk, 20), "the next checkpoint")
            assert reasons(uk, CA) == []
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(log_proofs, "PATIENCE_MS", 0)
                await until(lambda: reasons(uk, CA) == ["LOG_UNPROVEN"], "the end of patience")
            log.refuses_tiles = None
            await until(lambda: not reasons(uk, CA), "the proof")
            assert witnessed_row(uk).halted == ""  # type: ignore[union-attr]

    run(scenario())
