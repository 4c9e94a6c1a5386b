"""Witnessing: what is cosigned, and what is refused by which error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from comity.node.database.tables import WitnessedLogRow
from comity.node.witness import cosigning
from comity.node.witness.cosigning import add_checkpoint
from comity.record.cosignature import verify_cosignature
from comity.record.errors import (
    BadCheckpoint,
    BadConfig,
    BadNote,
    BadProof,
    BadSignature,
    ComityError,
    LimitExceeded,
    NotFound,
    OtherSizeHeld,
    UnknownKey,
)
from comity.record.limits import (
    MAX_CHECKPOINT_BYTES,
)
from comity.record.note import LOG_KEY, Note, NoteSigner
from tests.support.databases import NewDatabase
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.log_histories import History
from tests.support.witnesses import CA, FALSE, TRUE, UK, held, history, reasons, take, witness_keys


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
        patch.setattr(cosigning, "cosign", crash)
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
    assert uk.rows(WitnessedLogRow) == []


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
    assert three[0].rows(WitnessedLogRow) == []


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
