"""Witnessing: what is cosigned, what is refused by which error, and what halts it for good."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from comity.node.alarm import clear_alarm, list_alarms
from comity.node.recovery import recover
from comity.node.tlog import witness
from comity.node.tlog.cosigning import MAX_COSIGNATURE_BYTES, MAX_KEYS, keep_cosignature
from comity.node.tlog.halting import halt_all, resume
from comity.node.tlog.proofs import newest_checkpoint
from comity.node.tlog.tables import Cosignature, SplitView, WitnessedLog
from comity.node.tlog.watching import take_shown
from comity.node.tlog.witness import add_checkpoint
from comity.record import split_view
from comity.record.cosignature import cosign, verify_cosignature
from comity.record.errors import (
    BadCheckpoint,
    BadConfig,
    BadNote,
    BadProof,
    BadSignature,
    BadSplitView,
    ComityError,
    Conflict,
    Forbidden,
    LimitExceeded,
    NotFound,
    OtherSizeHeld,
    UnknownKey,
)
from comity.record.limits import (
    MAX_CHECKPOINT_BYTES,
    MAX_CLOCK_SKEW_SECONDS,
    MAX_NOTE_SIGNATURES,
)
from comity.record.note import LOG_KEY, WITNESS_KEY, Note, NoteSigner, SignatureLine, Verifier
from tests.databases import NewDatabase, sqlite_databases
from tests.exchange import HandClock, Institute, institutes
from tests.histories import History
from tests.network import card

UK, CA, FR = "uk.aisi.example", "ca.aisi.example", "fr.aisi.example"
TRUE, FALSE = "abcdefghij", "abcdeXghij"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def three(tmp_path: Path, clock: HandClock) -> Iterator[list[Institute]]:
    """Return three institutes, each other's peers."""
    with institutes(tmp_path, clock, sqlite_databases(tmp_path), UK, CA, FR) as found:
        yield found


def history(one: Institute, leaves: str = TRUE) -> History:
    """Return leaves that an institute's own log key signs."""
    return History(one.node.own.log_signers()[0], leaves)


def witness_keys(one: Institute) -> list[Verifier]:
    return [Verifier.parse(key) for key in one.node.bundle.witness_keys]


def take(
    uk: Institute, log: History, size: int, old: int = 0, proof: list[bytes] | None = None
) -> list[SignatureLine]:
    """Bring uk a checkpoint, with the proof that is asked for unless another one is given."""
    proof = log.proof(old, size) if proof is None else proof
    return add_checkpoint(uk.node, log.note(size).to_bytes(), old, proof)


def held(uk: Institute, institute: str = CA) -> WitnessedLog:
    [row] = uk.rows(WitnessedLog, institute=institute)
    return row  # type: ignore[no-any-return]


def reasons(one: Institute, about: str) -> list[str]:
    with one.node.store.read() as session:
        return [alarm.reason for alarm in list_alarms(session, about)]


def resumed(uk: Institute, *, anew: bool = False, institute: str = CA) -> None:
    with uk.node.store.write() as session:
        resume(session, institute, anew=anew)


def test_a_log_that_grows_is_cosigned_at_each_step(
    tmp_path: Path, clock: HandClock, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, clock, new_database, UK, CA) as (uk, ca):
        log = history(ca)
        for old, size in ((0, 3), (3, 4), (4, 10)):
            [line] = take(uk, log, size, old)
            [key] = witness_keys(uk)
            time = verify_cosignature(log.note(size).text, line, key)
            assert int(time.timestamp()) == clock.now // 1000
            assert (held(uk).size, held(uk).root) == (size, log.root(size).hex())


def test_the_held_checkpoint_is_cosigned_again_without_a_write(three: list[Institute]) -> None:
    uk, log = three[0], history(three[1])
    take(uk, log, 7)
    commits = uk.node.store.commits()
    assert take(uk, log, 7, 7)
    assert uk.node.store.commits() == commits


def test_an_empty_log_is_cosigned_and_may_grow_from_there(three: list[Institute]) -> None:
    uk, log = three[0], history(three[1])
    assert take(uk, log, 0)
    assert take(uk, log, 5)


def test_what_is_cosigned_was_stored_before(
    three: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, log = three[0], history(three[1])

    def crash(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(witness, "cosign", crash)
        with pytest.raises(InterruptedError):
            take(uk, log, 7)
    assert held(uk).size == 7
    with pytest.raises(OtherSizeHeld):
        take(uk, history(three[1], FALSE), 8)
    assert take(uk, log, 7, 7)


def test_nothing_is_cosigned_on_a_database_that_is_behind_its_mark(
    three: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, log = three[0], history(three[1])

    def behind() -> None:
        raise BadConfig("restored from an older backup")

    monkeypatch.setattr(uk.node, "keep_mark", behind)
    with pytest.raises(BadConfig):
        take(uk, log, 7)
    monkeypatch.undo()


def test_a_log_of_nobody_pinned_and_the_own_log_are_not_known(three: list[Institute]) -> None:
    uk = three[0]
    stranger = NoteSigner("log.eve.example", LOG_KEY, ed25519.Ed25519PrivateKey.generate())
    for log in (History(stranger, TRUE), history(uk)):
        with pytest.raises(NotFound):
            take(uk, log, 3)


def test_a_checkpoint_must_be_signed_by_the_key_in_the_institutes_own_bundle(
    three: list[Institute],
) -> None:
    uk, ca, fr = three
    name = history(ca).signer.name
    forger = NoteSigner(name, LOG_KEY, ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(UnknownKey):
        take(uk, History(forger, TRUE), 3)
    as_ca = NoteSigner(name, LOG_KEY, history(fr).signer.private)
    with pytest.raises(UnknownKey):
        take(uk, History(as_ca, TRUE), 3)
    changed = Note(history(ca, FALSE).note(8).text, history(ca).note(8).signatures)
    with pytest.raises(BadSignature):
        add_checkpoint(uk.node, changed.to_bytes(), 0, [])
    assert uk.rows(WitnessedLog) == []


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda note: note[:-20], BadNote),
        (lambda note: note.replace(b"\n\n", b"\n"), BadNote),
        (lambda note: note.replace(b"\n7\n", b"\n07\n"), BadCheckpoint),
        (lambda note: note.replace(b"\n7\n", b"\n9007199254740993\n"), LimitExceeded),
        (lambda note: note + note.splitlines(keepends=True)[-1] * 200, LimitExceeded),
        (lambda note: b"\xff" + note, BadNote),
        (lambda _: b"", BadNote),
    ],
)
def test_a_note_that_is_no_checkpoint_is_refused_by_name(
    three: list[Institute], spoil: Callable[[bytes], bytes], kind: type[ComityError]
) -> None:
    with pytest.raises(kind):
        add_checkpoint(three[0].node, spoil(history(three[1]).note(7).to_bytes()), 0, [])
    assert three[0].rows(WitnessedLog) == []


def test_a_note_over_the_limit_is_refused_before_it_is_read(three: list[Institute]) -> None:
    with pytest.raises(LimitExceeded, match="MAX_CHECKPOINT_BYTES"):
        add_checkpoint(three[0].node, bytes(MAX_CHECKPOINT_BYTES + 1), 0, [])


def test_a_proof_that_begins_elsewhere_is_told_where_to_begin(three: list[Institute]) -> None:
    uk, log = three[0], history(three[1])
    take(uk, log, 5)
    with pytest.raises(OtherSizeHeld) as caught:
        take(uk, log, 8, 4)
    assert caught.value.held == 5
    with pytest.raises(BadCheckpoint, match="expected at least 8 leaves, got 7"):
        take(uk, log, 7, 8, [])


def test_a_checkpoint_that_goes_back_is_not_cosigned(three: list[Institute]) -> None:
    uk, log = three[0], history(three[1])
    take(uk, log, 8)
    with pytest.raises(OtherSizeHeld):
        take(uk, log, 5)
    assert held(uk).size == 8


def test_a_bad_proof_is_refused_and_speaks_against_whoever_brought_it(
    three: list[Institute],
) -> None:
    uk, log = three[0], history(three[1])
    take(uk, log, 5)
    good = log.proof(5, 8)
    for proof in ([], good[:-1], [*good, bytes(32)], [bytes(32), *good[1:]], [b"short", *good[1:]]):
        with pytest.raises(BadProof):
            take(uk, log, 8, 5, proof)
    assert (held(uk).size, held(uk).halted) == (5, "")
    assert reasons(uk, CA) == []
    assert take(uk, log, 8, 5)


def test_two_roots_of_one_size_halt_the_log_and_are_kept_as_evidence(
    tmp_path: Path, clock: HandClock, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, clock, new_database, UK, CA) as (uk, ca):
        take(uk, history(ca), 8)
        with pytest.raises(Conflict):
            take(uk, history(ca, FALSE), 8, 8, [])
        assert reasons(uk, CA) == ["SPLIT_VIEW"]
        [row] = uk.rows(SplitView)
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
    assert len(uk.rows(SplitView)) == 1


def test_resuming_a_log_that_was_never_witnessed_is_refused(three: list[Institute]) -> None:
    with pytest.raises(NotFound):
        resumed(three[0])


def test_a_log_that_itself_shows_less_than_it_signed_is_halted(three: list[Institute]) -> None:
    uk, log = three[0], history(three[1])
    take(uk, log, 8)
    with pytest.raises(Conflict, match="signed 8 leaves and now shows 5"):
        take_shown(uk.node, CA, 8, log.note(5).to_bytes(), [])
    assert reasons(uk, CA) == ["LOG_ROLLED_BACK"]
    with pytest.raises(Forbidden):
        take(uk, log, 9, 8)


def test_a_log_that_shows_anothers_checkpoint_gets_no_cosignature(three: list[Institute]) -> None:
    uk, ca, fr = three
    with pytest.raises(BadCheckpoint):
        take_shown(uk.node, CA, 0, history(fr).note(3).to_bytes(), [])
    assert take_shown(uk.node, CA, 0, history(ca).note(3).to_bytes(), [])[1]


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
        assert take_shown(uk.node, CA, 8, with_both, [])[1] == []
        assert uk.node.store.commits() == commits
    without_ours = Note(note.text, (*note.signatures, first)).to_bytes()
    assert take_shown(uk.node, CA, 8, without_ours, [])[1]


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


def forgetful(uk: Institute, log: History, size: int) -> None:
    """Let uk's database know of only so many leaves, as after a restored backup."""
    with uk.node.store.write() as session:
        row = session.get_one(WitnessedLog, CA)
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
            session.delete(session.get_one(WitnessedLog, institute))
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
    recover(uk.node.store, uk.node.mark, uk.node.clock())
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
        halt_all(session, UK, "restored from a backup", 1)
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


def published(one: Institute) -> tuple[int, str]:
    """Publish a card and sign the log; return size and text of the checkpoint."""
    one.publish(card())
    one.node.signer.sign()
    with one.node.store.read() as session:
        size, note = newest_checkpoint(session)
    return size, Note.parse(note).text


def cosigned_by(signer: NoteSigner, text: str, clock: HandClock) -> bytes:
    return f"{cosign(text, signer, clock.time)}\n".encode()


def test_a_cosignature_appears_on_the_published_checkpoint(
    three: list[Institute], clock: HandClock
) -> None:
    uk, ca, fr = three
    size, text = published(ca)
    for one in (uk, fr):
        line = cosigned_by(one.node.own.witness_signers()[0], text, clock)
        keep_cosignature(ca.node, one.name, size, line)
        keep_cosignature(ca.node, one.name, size, line)
    with ca.node.store.read() as session:
        note = Note.parse(newest_checkpoint(session).note)
    names = [line.name for line in note.signatures]
    assert names == [f"log.{CA}", f"witness.{FR}", f"witness.{UK}"]


def test_a_checkpoint_with_the_cosignatures_of_many_can_still_be_read(
    three: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    line = cosigned_by(uk.node.own.witness_signers()[0], text, clock)
    keep_cosignature(ca.node, UK, size, line)
    with ca.node.store.write() as session:
        for number in range(MAX_NOTE_SIGNATURES):
            name = f"witness.{number % 8}.example"
            found = str(SignatureLine(name, number.to_bytes(4, "big"), bytes(72)))
            row = Cosignature(
                size=size,
                witness=f"{name}+{number:08x}",
                line=f"{found}\n".encode(),
                cosigned_time=clock.now + number,
            )
            session.add(row)
        session.flush()
    with ca.node.store.read() as session:
        shown = newest_checkpoint(session).note
    assert len(shown) <= MAX_CHECKPOINT_BYTES
    names = [signature.name for signature in Note.parse(shown).signatures]
    assert len(names) == MAX_NOTE_SIGNATURES
    assert names.count(f"witness.{UK}") == 1


def test_a_peer_with_many_witness_keys_cosigns_with_the_newest_few(
    three: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    keys = [
        NoteSigner(f"witness.{UK}", WITNESS_KEY, ed25519.Ed25519PrivateKey.generate())
        for _ in range(MAX_KEYS + 1)
    ]
    listed = tuple(str(key.verifier) for key in keys)
    ca.node.add_peer(uk.node.bundle.model_copy(update={"witness_keys": listed}))
    with pytest.raises(UnknownKey, match="newest"):
        keep_cosignature(ca.node, UK, size, cosigned_by(keys[0], text, clock))
    for key in keys[1:]:
        keep_cosignature(ca.node, UK, size, cosigned_by(key, text, clock))
    assert len(ca.rows(Cosignature)) == MAX_KEYS


@pytest.mark.parametrize("size", [99, 2**63, 2**64 - 1])
def test_a_cosignature_of_a_size_that_was_never_published_is_refused(
    three: list[Institute], clock: HandClock, size: int
) -> None:
    uk, ca, _ = three
    line = cosigned_by(uk.node.own.witness_signers()[0], published(ca)[1], clock)
    with pytest.raises(NotFound):
        keep_cosignature(ca.node, UK, size, line)


def test_a_cosignature_with_a_logs_key_is_refused(three: list[Institute], clock: HandClock) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    log_key = uk.node.own.log_signers()[0]
    plain = f"{log_key.sign(text)}\n".encode()
    disguised = NoteSigner(f"witness.{UK}", WITNESS_KEY, log_key.private)
    for line in (plain, cosigned_by(disguised, text, clock)):
        with pytest.raises(UnknownKey):
            keep_cosignature(ca.node, UK, size, line)


def test_a_log_key_that_a_bundle_lists_as_a_witness_does_not_count(
    three: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    signer = NoteSigner(f"witness.{UK}", LOG_KEY, uk.node.own.log_signers()[0].private)
    listed = uk.node.bundle.model_copy(update={"witness_keys": (str(signer.verifier),)})
    ca.node.add_peer(listed)
    with pytest.raises(BadSignature):
        keep_cosignature(ca.node, UK, size, f"{signer.sign(text)}\n".encode())


def test_nobody_cosigns_in_anothers_name(three: list[Institute], clock: HandClock) -> None:
    uk, ca, fr = three
    size, text = published(ca)
    line = cosigned_by(fr.node.own.witness_signers()[0], text, clock)
    with pytest.raises(UnknownKey):
        keep_cosignature(ca.node, UK, size, line)
    usurper = NoteSigner(f"witness.{FR}", WITNESS_KEY, ed25519.Ed25519PrivateKey.generate())
    ca.node.add_peer(uk.node.bundle.model_copy(update={"witness_keys": (str(usurper.verifier),)}))
    with pytest.raises(UnknownKey):
        keep_cosignature(ca.node, UK, size, cosigned_by(usurper, text, clock))
    assert ca.rows(Cosignature) == []


def test_a_cosignature_of_another_checkpoint_is_refused(
    three: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    signer = uk.node.own.witness_signers()[0]
    with pytest.raises(NotFound):
        keep_cosignature(ca.node, UK, size + 1, cosigned_by(signer, text, clock))
    elsewhere = cosigned_by(signer, history(ca).note(1).text, clock)
    with pytest.raises(BadSignature):
        keep_cosignature(ca.node, UK, size, elsewhere)


def test_a_cosignature_from_the_future_is_refused(three: list[Institute], clock: HandClock) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    later = HandClock()
    later.turn(MAX_CLOCK_SKEW_SECONDS + 60)
    line = cosigned_by(uk.node.own.witness_signers()[0], text, later)
    with pytest.raises(BadSignature, match="from now"):
        keep_cosignature(ca.node, UK, size, line)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"", BadNote),
        (b"\xff\n", BadNote),
        ("— witness.uk.aisi.example".encode(), BadNote),
        ("— witness.uk.aisi.example !\n".encode(), BadNote),
        (b"x" * (MAX_COSIGNATURE_BYTES + 1), LimitExceeded),
    ],
)
def test_what_is_no_signature_line_is_refused(
    three: list[Institute], line: bytes, kind: type[ComityError]
) -> None:
    with pytest.raises(kind):
        keep_cosignature(three[1].node, UK, 1, line)
