"""Witnessing between running nodes: cosignatures travel back, and forks are found by gossip."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from comity.node.database.tables import (
    AlarmRow,
    PeerRow,
    RecordRow,
    SightingRow,
    SplitViewRow,
    WitnessedLogRow,
)
from comity.node.log.proofs import newest_checkpoint
from comity.node.witness.gossip import take_shared_checkpoints
from comity.record import split_view
from comity.record.checkpoint import open_checkpoint
from comity.record.cosignature import cosignatures
from comity.record.errors import NotFound
from comity.record.log import FIRST_LOG
from comity.v1 import audit_service_pb2 as audit
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.forked_logs import (
    forked_log,
    holds_checkpoint,
    is_split,
    note_verifiers,
)
from tests.support.log_histories import History, forking
from tests.support.network import Running, make_home, network, run, serving, until
from tests.support.witnesses import reasons

UK, CA, FR = "uk.aisi.example", "ca.aisi.example", "fr.aisi.example"
TRUE, FALSE = "abcdefghij", "abcdeXghij"


pytestmark = pytest.mark.usefixtures("quick_witnessing")


def witnesses_of(one: Running) -> set[str]:
    """Return whose verified cosignatures stand on the published checkpoint."""
    bundles = one.node.bundles()
    with one.node.store.read() as session:
        try:
            data = newest_checkpoint(session).note
        except NotFound:
            return set()
    _, note = open_checkpoint(data, note_verifiers(one.node.bundle.log_keys))
    keys = note_verifiers(*(bundle.witness_keys for bundle in bundles))
    return {made.witness.name for made in cosignatures(note, keys)}


def size_of(one: Running) -> int:
    with one.node.store.read() as session:
        return newest_checkpoint(session).size


def test_cosignatures_of_all_peers_appear_on_the_published_checkpoint(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA, FR, database=lambda _: new_database()) as (uk, ca, fr):
            ca.node.publish(ca.sign(card()))
            everyone = {f"witness.{UK}", f"witness.{FR}"}
            await until(lambda: size_of(ca) and witnesses_of(ca) == everyone, "both cosignatures")
            ca.node.publish(ca.sign(card("another-model")))
            await until(lambda: size_of(ca) == 2 and witnesses_of(ca) == everyone, "them again")
            for one in (uk, fr):
                assert holds_checkpoint(one, 2)
                assert one.rows(AlarmRow) == []
            await until(lambda: witnesses_of(uk) == {f"witness.{CA}", f"witness.{FR}"}, "on uk's")

    run(scenario())


def test_a_log_that_shows_two_histories_is_found_by_gossip(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = forked_log(tmp_path, uk=TRUE, fr=FALSE)
        async with network(tmp_path, UK, FR) as (uk, fr), forking(log, uk, fr):
            for one in (uk, fr):
                await until(partial(is_split, one), "the alarm")
                [row] = one.rows(SplitViewRow)
                evidence = split_view.SplitView.parse(row.evidence)
                assert evidence.check(note_verifiers(log.home.bundle().log_keys))
            log.histories = dict.fromkeys((UK, FR), History(log.histories[UK].signer, TRUE * 2))
            record = uk.sign(card())
            uk.node.publish(record)
            await until(lambda: fr.rows(RecordRow, record_id=record.record_id), "the card")
            assert {size for _, size in log.cosigned} <= {10}  # while all else goes on

    run(scenario())


@pytest.mark.parametrize(("uk_sees", "fr_sees"), [(TRUE, FALSE[:7]), (TRUE[:8], FALSE)])
def test_histories_of_different_lengths_are_found_by_the_logs_tiles(
    tmp_path: Path, uk_sees: str, fr_sees: str
) -> None:
    async def scenario() -> None:
        log = forked_log(tmp_path, uk=uk_sees, fr=fr_sees)
        async with network(tmp_path, UK, FR) as (uk, fr), forking(log, uk, fr):
            longer = uk if len(uk_sees) > len(fr_sees) else fr
            await until(lambda: is_split(longer), "the split view")
            [row] = longer.rows(SplitViewRow)
            evidence = split_view.SplitView.parse(row.evidence)
            assert evidence.check(note_verifiers(log.home.bundle().log_keys))
            shorter = fr if longer is uk else uk
            await until(lambda: reasons(shorter, CA) == ["LOG_ROLLED_BACK"], "less is shown")

    run(scenario())


def test_a_sighting_of_a_log_that_cannot_be_reached_waits_for_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        log = forked_log(tmp_path, uk=TRUE)
        async with serving(make_home(tmp_path, UK)) as uk:
            uk.node.add_peer(log.home.bundle())
            take_shared_checkpoints(uk.node, FR, [log.histories[UK].note(6).to_bytes()])
            await until(lambda: uk.rows(PeerRow)[0].last_error, "an attempt")
            assert reasons(uk, CA) == []
            async with forking(log, uk):
                await until(lambda: uk.rows(SightingRow)[0].checked, "the proof")
            assert reasons(uk, CA) == []

    run(scenario())


@pytest.mark.parametrize(
    "answer",
    [
        audit.GetCheckpointResponse(checkpoint=b"no note"),
        audit.GetCheckpointResponse(checkpoint=b"x" * (1 << 20)),
        audit.GetCheckpointResponse(consistency=[b"x"] * 1000),
    ],
)
def test_a_log_that_talks_nonsense_gets_no_cosignature_and_stalls_nothing(
    tmp_path: Path, answer: audit.GetCheckpointResponse
) -> None:
    async def scenario() -> None:
        log = forked_log(tmp_path, uk=TRUE)
        asked: list[int] = []

        def show(_: str, request: audit.GetCheckpointRequest) -> audit.GetCheckpointResponse:
            asked.append(request.old_size)
            return answer

        log.show = show
        async with serving(make_home(tmp_path, UK)) as uk, forking(log, uk):
            await until(lambda: len(asked) > 2, "some questions")
            assert log.cosigned == []
            assert uk.rows(WitnessedLogRow) == []
            log.show = None
            await until(lambda: (UK, 10) in log.cosigned, "a cosignature")

    run(scenario())


def test_a_log_restored_from_an_older_backup_is_told_by_its_peers(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, ca):
            ca.node.publish(ca.sign(card()))
            await until(lambda: holds_checkpoint(uk, 1), "the checkpoint at uk")
            longer = History(ca.node.own.log_signers()[0], TRUE)
            with uk.node.store.write() as session:
                row = session.get_one(WitnessedLogRow, (CA, FIRST_LOG))
                row.size, row.root = 10, longer.root(10).hex()
                row.note = longer.note(10).to_bytes()
                session.add(row)
                session.flush()
            await until(lambda: reasons(ca, CA) == ["LOG_ROLLED_BACK"], "ca's own alarm")
            await until(lambda: reasons(uk, CA) == ["LOG_ROLLED_BACK"], "uk's alarm")

    run(scenario())
