"""Gossip: nodes that tell each other of checkpoints find out a log that forks, and only such."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from comity.node.database.tables import SightingRow, SplitViewRow, WitnessedLogRow
from comity.node.witness.consistency import check_sighting, needed_tiles
from comity.node.witness.cosigning import add_checkpoint
from comity.node.witness.gossip import (
    checkpoints_to_share,
    take_shared_checkpoints,
    unchecked_sightings,
)
from comity.node.witness.halting import resume_witnessing
from comity.record import split_view
from comity.record.errors import (
    BadNote,
    BadProof,
    BadSignature,
    BadTile,
    NotFound,
)
from comity.record.limits import MAX_PEERS
from comity.record.log import FIRST_LOG
from comity.record.note import LOG_KEY, Note, NoteSigner, SignatureLine
from comity.record.tile import Tile
from tests.support.databases import NewDatabase
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.log_histories import History
from tests.support.witnesses import CA, FALSE, FR, TRUE, UK, history, reasons, take, told, waiting


def checked(uk: Institute, log: History) -> None:
    """Check every sighting against what the log shows by its tiles."""
    [held] = uk.rows(WitnessedLogRow, institute=CA)
    with uk.node.store.read() as session:
        sightings = unchecked_sightings(session, CA, MAX_PEERS)
    for sighting in sightings:
        tiles = {t: log.tile(t.path) for t in needed_tiles(sighting.size, held.size)}
        check_sighting(uk.node, sighting, Note.parse(held.note), tiles)


def evidence_holds(uk: Institute, log: History) -> bool:
    """Whether uk keeps evidence that anyone with the log's key can check."""
    [row] = uk.rows(SplitViewRow)
    return bool(split_view.SplitView.parse(row.evidence).check([log.signer.verifier]))


def test_another_root_of_the_held_size_is_found_at_once(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, FR) as (uk, ca, _):
        take(uk, history(ca), 8)
        told(uk, history(ca, FALSE), 8)
        assert reasons(uk, CA) == ["SPLIT_VIEW"]
        assert evidence_holds(uk, history(ca))
        assert reasons(uk, FR) == []


@pytest.mark.parametrize("size", [3, 5, 6, 7])
def test_a_smaller_checkpoint_of_another_history_is_found_by_the_logs_own_tiles(
    three: list[Institute], size: int
) -> None:
    uk, ca, _ = three
    log, fork = history(ca), history(ca, "ab" + FALSE)
    take(uk, log, 8)
    told(uk, fork, size)
    checked(uk, log)
    assert reasons(uk, CA) == ["SPLIT_VIEW"]
    assert evidence_holds(uk, log)


def test_a_checkpoint_that_the_held_tree_begins_with_is_settled(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, FR) as (uk, ca, _):
        log = history(ca)
        take(uk, log, 8)
        told(uk, log, 6)
        told(uk, log, 6, teller=CA)
        assert waiting(uk) == [6]
        checked(uk, log)
        told(uk, log, 6)
        assert waiting(uk) == []
        assert [row.checked for row in uk.rows(SightingRow)] == [True, True]
        assert reasons(uk, CA) == []


def test_a_log_whose_tiles_lead_elsewhere_proves_nothing(three: list[Institute]) -> None:
    uk, ca, _ = three
    take(uk, history(ca), 8)
    told(uk, history(ca), 6)
    with pytest.raises(BadProof):
        checked(uk, history(ca, FALSE))
    [held] = uk.rows(WitnessedLogRow)
    [sighting] = uk.rows(SightingRow)
    with pytest.raises(NotFound):
        check_sighting(uk.node, sighting, Note.parse(held.note), {})
    with pytest.raises(BadTile):
        check_sighting(uk.node, sighting, Note.parse(held.note), {Tile(0, 0, 8): b"short"})
    assert waiting(uk) == [6]


def test_a_checkpoint_of_a_log_that_was_never_reached_waits(three: list[Institute]) -> None:
    uk, ca, _ = three
    told(uk, history(ca), 6)
    assert waiting(uk) == [6]
    assert reasons(uk, CA) == []


def test_a_log_that_is_not_pinned_here_is_passed_over(three: list[Institute]) -> None:
    uk, ca, _ = three
    stranger = NoteSigner("log.eve.example", LOG_KEY, ed25519.Ed25519PrivateKey.generate())
    rotated = NoteSigner(f"log.{CA}", LOG_KEY, ed25519.Ed25519PrivateKey.generate())
    for signer in (stranger, rotated):
        told(uk, History(signer, TRUE), 6)
    assert uk.rows(SightingRow) == []
    told(uk, history(ca), 6)
    assert waiting(uk) == [6]


def test_a_forged_or_malformed_checkpoint_is_refused_with_all_that_came_with_it(
    three: list[Institute],
) -> None:
    uk, ca, _ = three
    good = history(ca).note(6)
    forged = Note(history(ca, FALSE).note(8).text, good.signatures)
    for bad, kind in ((forged.to_bytes(), BadSignature), (b"no note", BadNote)):
        with pytest.raises(kind):
            take_shared_checkpoints(uk.node, FR, [good.to_bytes(), bad])
    assert uk.rows(SightingRow) == []


def test_lines_that_a_log_puts_under_a_checkpoint_do_not_hide_its_other_history(
    three: list[Institute],
) -> None:
    uk, ca, fr = three
    take(uk, history(ca), 8)
    note, ours = history(ca, FALSE).note(8), uk.node.own.witness_signers()[0].verifier
    later = NoteSigner(f"log.{CA}", LOG_KEY, ed25519.Ed25519PrivateKey.generate()).verifier
    listed = (*ca.node.bundle.log_keys, str(later))
    uk.node.add_peer(ca.node.bundle.model_copy(update={"log_keys": listed}))
    forged = [SignatureLine(key.name, key.keyid, bytes(72)) for key in (ours, later)]
    add_checkpoint(fr.node, Note(note.text, (*note.signatures, *forged)).to_bytes(), 0, [])
    take_shared_checkpoints(uk.node, FR, checkpoints_to_share(fr.node))
    assert reasons(uk, CA) == ["SPLIT_VIEW"]


def test_what_a_log_key_signed_that_was_revoked_since_is_not_held_against_the_log(
    three: list[Institute],
) -> None:
    uk, ca, _ = three
    told(uk, history(ca), 9)
    assert waiting(uk) == [9]
    later = NoteSigner(f"log.{CA}", LOG_KEY, ed25519.Ed25519PrivateKey.generate()).verifier
    uk.node.add_peer(ca.node.bundle.model_copy(update={"log_keys": (str(later),)}))
    assert waiting(uk) == []


def test_the_newest_checkpoints_of_others_are_told(three: list[Institute]) -> None:
    uk, ca, fr = three
    assert checkpoints_to_share(uk.node) == []
    take(uk, history(fr), 4)
    take(uk, history(ca), 8)
    assert checkpoints_to_share(uk.node) == [
        history(ca).note(8).to_bytes(),
        history(fr).note(4).to_bytes(),
    ]


def test_a_former_life_of_a_log_is_not_held_against_it_once_resumed_anew(
    three: list[Institute],
) -> None:
    uk, ca, _ = three
    log, fork = history(ca), history(ca, FALSE)
    take(uk, log, 9)
    told(uk, fork, 9)
    with uk.node.store.write() as session:
        resume_witnessing(session, CA, anew=True)
    take(uk, fork, 7)
    told(uk, log, 9)
    told(uk, log, 8)
    told(uk, log, 7)  # of the very size that is held now
    assert waiting(uk) == []
    assert reasons(uk, CA) == []
    told(uk, log, 10)
    assert waiting(uk) == [10]


def test_a_told_cosignature_of_ours_that_we_know_nothing_of_stops_witnessing(
    three: list[Institute],
) -> None:
    uk, ca, _ = three
    log = history(ca)
    lines = add_checkpoint(uk.node, log.note(8).to_bytes(), 0, [])
    with uk.node.store.write() as session:
        session.delete(session.get_one(WitnessedLogRow, (CA, FIRST_LOG)))
        session.flush()
    take(uk, log, 5)
    note = log.note(8)
    take_shared_checkpoints(uk.node, FR, [Note(note.text, (*note.signatures, *lines)).to_bytes()])
    assert reasons(uk, UK) == ["WITNESS_RESTORED"]
    [row] = uk.rows(WitnessedLogRow)
    assert row.halted
    assert row.size == 8
