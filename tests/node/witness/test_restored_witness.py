"""A witness that was restored: what it remembers, and who says that it may go on."""

from __future__ import annotations

import pytest

from comity.node.database.alarms import clear_alarm
from comity.node.database.tables import WitnessedLogRow
from comity.node.server.recovery import recover_database
from comity.node.witness.cosigning import add_checkpoint
from comity.node.witness.halting import halt_all_witnessing
from comity.record.cosignature import cosign
from comity.record.errors import (
    Forbidden,
    OtherSizeHeld,
)
from comity.record.log import FIRST_LOG
from comity.record.note import Note, SignatureLine
from tests.support.institutes import HandClock, Institute
from tests.support.log_histories import History
from tests.support.witnesses import CA, FALSE, FR, UK, held, history, reasons, resumed, take


def forgetful(uk: Institute, log: History, size: int) -> None:
    """Let uk's database know of only so many leaves, as after a restored backup."""
    with uk.node.store.write() as session:
        row = session.get_one(WitnessedLogRow, (CA, FIRST_LOG))
        row.size, row.root, row.note = size, log.root(size).hex(), log.note(size).to_bytes()
        session.add(row)
        session.flush()


def test_a_restored_witness_cosigns_nothing_until_the_operator_says_so(
    three: list[Institute],
) -> None:
    uk, ca, fr = three
    log, other = history(ca), history(fr)
    take(uk, other, 3)
    lines = take(uk, log, 8)
    cosigned = Note(log.note(8).text, (*log.note(8).signatures, *lines)).to_bytes()
    forgetful(uk, log, 5)
    with pytest.raises(Forbidden, match="an older backup"):
        add_checkpoint(uk.node, cosigned, 5, log.proof(5, 8))
    assert reasons(uk, UK) == ["WITNESS_RESTORED"]
    for history_of, size, old in ((log, 9, 8), (other, 4, 3)):
        with pytest.raises(Forbidden, match="WITNESS_RESTORED"):
            take(uk, history_of, size, old)
    resumed(uk)
    with pytest.raises(OtherSizeHeld):
        take(uk, history(ca, FALSE), 9, 5)  # what it had cosigned before counts again
    assert take(uk, log, 9, 8)


def test_a_restored_witness_remembers_its_other_cosignatures_before_it_is_resumed(
    three: list[Institute],
) -> None:
    uk, ca, fr = three
    logs = [history(ca), history(fr)]
    notes = []
    for log in logs:
        lines = take(uk, log, 8)
        notes.append(Note(log.note(8).text, (*log.note(8).signatures, *lines)).to_bytes())
    with uk.node.store.write() as session:
        for institute in (CA, FR):
            session.delete(session.get_one(WitnessedLogRow, (institute, FIRST_LOG)))
        session.flush()
    for log in logs:
        take(uk, log, 5)
    for note in notes:
        with pytest.raises(Forbidden):
            add_checkpoint(uk.node, note, 5, logs[0].proof(5, 8))
    resumed(uk)
    assert reasons(uk, UK) == ["WITNESS_RESTORED"]
    resumed(uk, institute=FR)
    assert reasons(uk, UK) == []
    for log in logs:
        assert take(uk, log, 9, 8)


def test_after_a_recovery_logs_that_the_database_does_not_know_wait_for_the_operator(
    three: list[Institute],
) -> None:
    uk, ca, _ = three
    log = history(ca)
    recover_database(uk.node.store, uk.node.mark, uk.node.clock())
    with pytest.raises(Forbidden, match="may have been cosigned") as caught:
        take(uk, log, 5)
    assert f"comity-node alarms clear {UK} RESTORED" in caught.value.hint
    with uk.node.store.write() as session:
        assert clear_alarm(session, UK, "RESTORED")
    assert take(uk, log, 5)


def test_a_late_reminder_halts_its_own_log_only_while_others_are_being_resumed(
    three: list[Institute],
) -> None:
    uk, ca, fr = three
    log, other = history(ca), history(fr)
    lines = take(uk, log, 8)
    note = Note(log.note(8).text, (*log.note(8).signatures, *lines)).to_bytes()
    forgetful(uk, log, 5)
    take(uk, other, 3)
    with uk.node.store.write() as session:
        halt_all_witnessing(session, UK, "restored from a backup", 1)
    resumed(uk, institute=FR)
    with pytest.raises(Forbidden):
        add_checkpoint(uk.node, note, 5, log.proof(5, 8))
    assert take(uk, other, 4, 3)
    assert held(uk).halted


def test_somebody_elses_cosignature_does_not_make_a_restored_witness(
    three: list[Institute],
) -> None:
    uk, ca, fr = three
    log = history(ca)
    take(uk, log, 5)
    note = log.note(8)
    line = cosign(note.text, fr.node.own.witness_signers()[0], HandClock().time)
    seen = Note(note.text, (*note.signatures, line)).to_bytes()
    assert add_checkpoint(uk.node, seen, 5, log.proof(5, 8))


def test_a_forged_cosignature_of_ours_says_nothing(three: list[Institute]) -> None:
    uk, log = three[0], history(three[1])
    take(uk, log, 5)
    note = log.note(8)
    key = uk.node.own.witness_signers()[0].verifier
    forged = SignatureLine(key.name, key.keyid, bytes(72))
    data = Note(note.text, (*note.signatures, forged)).to_bytes()
    assert add_checkpoint(uk.node, data, 5, log.proof(5, 8))
    assert held(uk).note == note.to_bytes()
    assert reasons(uk, UK) == []


def test_lines_that_anyone_put_under_the_held_checkpoint_cost_no_write(
    three: list[Institute],
) -> None:
    uk, log = three[0], history(three[1])
    take(uk, log, 7)
    note, commits = log.note(7), uk.node.store.commits()
    junk = SignatureLine("witness.example", bytes(4), bytes(72))
    assert add_checkpoint(uk.node, Note(note.text, (*note.signatures, junk)).to_bytes(), 7, [])
    assert uk.node.store.commits() == commits
