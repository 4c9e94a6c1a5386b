"""Halting: what halts a log for good, what resumes it, and what is kept as evidence."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from comity.node.database.tables import SplitViewRow
from comity.node.witness.consistency import take_newest_checkpoint
from comity.record import split_view
from comity.record.cosignature import cosign
from comity.record.errors import (
    BadCheckpoint,
    BadSignature,
    BadSplitView,
    ComityError,
    Conflict,
    Forbidden,
    NotFound,
)
from comity.record.log import FIRST_LOG, LogName
from comity.record.note import Note
from tests.support.databases import NewDatabase
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.witnesses import CA, FALSE, TRUE, UK, held, history, reasons, resumed, take

OF_CA = LogName(CA, FIRST_LOG)


def test_two_roots_of_one_size_halt_the_log_and_are_kept_as_evidence(
    tmp_path: Path, clock: HandClock, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, clock, new_database, UK, CA) as (uk, ca):
        take(uk, history(ca), 8)
        with pytest.raises(Conflict):
            take(uk, history(ca, FALSE), 8, 8, [])
        assert reasons(uk, CA) == ["SPLIT_VIEW"]
        [row] = uk.rows(SplitViewRow)
        keys = [history(ca).signer.verifier]
        split_view.SplitView.parse(row.evidence).check(keys)
        forged = row.evidence.replace(b"\\n8\\n", b"\\n9\\n")
        with pytest.raises(BadSignature):
            split_view.SplitView.parse(forged).check(keys)
        innocent = split_view.SplitView.of(history(ca).note(8), history(ca).note(8))
        with pytest.raises(BadSplitView):
            innocent.check(keys)
        with pytest.raises(Forbidden):
            take(uk, history(ca), 9, 8)


def test_a_halted_log_is_witnessed_again_only_after_it_was_resumed(three: list[Institute]) -> None:
    uk, log, fork = three[0], history(three[1]), history(three[1], FALSE)
    take(uk, log, 8)
    with pytest.raises(Conflict):
        take(uk, fork, 8, 8, [])
    for size, old in ((9, 8), (8, 8)):
        with pytest.raises(Forbidden, match="SPLIT_VIEW"):
            take(uk, log, size, old)
    resumed(uk)
    assert reasons(uk, CA) == []
    assert take(uk, log, 9, 8)
    with pytest.raises(Conflict):
        take(uk, fork, 9, 9, [])


def test_a_log_that_is_resumed_anew_may_show_another_history(three: list[Institute]) -> None:
    uk, log, fork = three[0], history(three[1]), history(three[1], FALSE)
    take(uk, log, 8)
    with pytest.raises(Conflict):
        take(uk, fork, 8, 8, [])
    resumed(uk, anew=True)
    assert take(uk, fork, 7)
    assert len(uk.rows(SplitViewRow)) == 1


def test_resuming_a_log_that_was_never_witnessed_is_refused(three: list[Institute]) -> None:
    with pytest.raises(NotFound):
        resumed(three[0])


def test_a_log_that_itself_shows_less_than_it_signed_is_halted(three: list[Institute]) -> None:
    uk, log = three[0], history(three[1])
    take(uk, log, 8)
    with pytest.raises(Conflict, match="signed 8 leaves and now shows 5"):
        take_newest_checkpoint(uk.node, OF_CA, 8, log.note(5).to_bytes(), [])
    assert reasons(uk, CA) == ["LOG_ROLLED_BACK"]
    with pytest.raises(Forbidden):
        take(uk, log, 9, 8)


def test_a_log_that_shows_anothers_checkpoint_gets_no_cosignature(three: list[Institute]) -> None:
    uk, ca, fr = three
    with pytest.raises(BadCheckpoint):
        take_newest_checkpoint(uk.node, OF_CA, 0, history(fr).note(3).to_bytes(), [])
    assert take_newest_checkpoint(uk.node, OF_CA, 0, history(ca).note(3).to_bytes(), [])[1]


def test_witnesses_do_not_rouse_each_other(three: list[Institute], clock: HandClock) -> None:
    uk, ca, fr = three
    log, theirs = history(ca), fr.node.own.witness_signers()[0]
    note = log.note(8)
    ours = take(uk, log, 8)
    first = cosign(note.text, theirs, clock.time)
    clock.turn(60)
    for line in (first, cosign(note.text, theirs, clock.time)):
        with_both = Note(note.text, (*note.signatures, *ours, line)).to_bytes()
        commits = uk.node.store.commits()
        assert take_newest_checkpoint(uk.node, OF_CA, 8, with_both, [])[1] == []
        assert uk.node.store.commits() == commits
    without_ours = Note(note.text, (*note.signatures, first)).to_bytes()
    assert take_newest_checkpoint(uk.node, OF_CA, 8, without_ours, [])[1]


def test_of_two_contradictory_checkpoints_at_once_only_one_is_cosigned(
    tmp_path: Path, clock: HandClock, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, clock, new_database, UK, CA) as (uk, ca):
        take(uk, history(ca), 5)
        logs = [history(ca, TRUE[:5] + str(number) * 4) for number in range(6)]
        cosigned: list[int] = []

        def race(number: int) -> None:
            try:
                take(uk, logs[number], 9, 5)
            except ComityError:
                return
            cosigned.append(number)

        threads = [threading.Thread(target=race, args=(number,)) for number in range(len(logs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        [winner] = cosigned
        assert held(uk).root == logs[winner].root(9).hex()
        assert reasons(uk, CA) == ["SPLIT_VIEW"]
