"""comity-node witness and alarms: what an operator sees of a log that lies, and what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.node.commands.app import app
from comity.node.database.tables import LogHeadRow, RecordRow, WitnessedLogRow
from comity.node.witness.cosigning import add_checkpoint
from comity.node.witness.gossip import take_shared_checkpoints
from comity.node.witness.halting import resume_witnessing
from comity.record.note import Verifier
from comity.record.spiffe import Role, SpiffeId
from comity.record.split_view import SplitView
from comity.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    audit_service_pb2,
    audit_service_pb2_grpc,
)
from tests.support.command_line import Run, runner
from tests.support.databases import sqlite_databases
from tests.support.drafts import card
from tests.support.hostile_calls import calling
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.log_histories import History
from tests.support.network import make_home, run, serving
from tests.support.witnesses import CA, FALSE, FR, TRUE, UK, held, history


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[Institute]]:
    """Return uk and ca, each other's peers."""
    with institutes(tmp_path, HandClock(), sqlite_databases(tmp_path), UK, CA) as found:
        yield found


@pytest.fixture
def uk(
    pair: list[Institute], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs a command on uk's home."""
    monkeypatch.setenv("COMITY_HOME", str(pair[0].node.home.path))
    return runner(app, monkeypatch, capsys)


def split(pair: list[Institute]) -> None:
    """Let uk see two histories of ca's log."""
    one, other = pair
    add_checkpoint(one.node, history(other).note(8).to_bytes(), 0, [])
    take_shared_checkpoints(one.node, FR, [history(other, FALSE).note(8).to_bytes()])


def test_a_log_that_was_seen_is_listed(pair: list[Institute], uk: Run) -> None:
    assert uk("witness", "list").err.startswith("No log yet: ")
    add_checkpoint(pair[0].node, history(pair[1]).note(8).to_bytes(), 0, [])
    listed = uk("witness", "list")
    assert CA in listed.out
    assert "witnessed" in listed.out
    [value] = uk("witness", "list", "--json").json
    assert (value["institute"], value["size"], value["halted"]) == (CA, 8, "")


def test_a_split_view_is_shown_exported_and_checks_elsewhere(
    pair: list[Institute], uk: Run, tmp_path: Path
) -> None:
    split(pair)
    assert "SPLIT_VIEW" in uk("witness", "list").out
    assert f"alarm: SPLIT_VIEW: {CA}" in uk("status").err
    [alarm] = uk("alarms", "list", "--json").json
    assert (alarm["institute"], alarm["reason"]) == (CA, "SPLIT_VIEW")
    file = tmp_path / "ca.split-view.json"
    assert uk("witness", "export", CA, str(file)).code == 0
    keys = [Verifier.parse(key) for key in pair[1].node.bundle.log_keys]
    assert SplitView.parse(file.read_bytes()).check(keys)
    again = uk("witness", "export", CA, str(file))
    assert again.code == 1
    assert "not overwritten" in again.err


def test_nothing_is_exported_against_a_log_that_kept_to_one_history(uk: Run) -> None:
    ended = uk("witness", "export", CA, "ca.json")
    assert ended.code == 1
    assert "no proof against the log" in ended.err
    assert not Path("ca.json").exists()


def test_clearing_an_alarm_does_not_resume_the_log(pair: list[Institute], uk: Run) -> None:
    split(pair)
    assert uk("alarms", "clear", CA, "SPLIT_VIEW").code == 0
    assert uk("alarms", "list", "--json").json == []
    [row] = pair[0].rows(WitnessedLogRow)
    assert row.halted
    ended = uk("alarms", "clear", CA, "SPLIT_VIEW")
    assert ended.code == 1
    assert "no alarm" in ended.err


def test_resuming_clears_the_alarm_and_goes_on_from_what_is_held(
    pair: list[Institute], uk: Run
) -> None:
    split(pair)
    ended = uk("witness", "resume", CA)
    assert (ended.code, "SPLIT_VIEW" in ended.err, "witness export" in ended.err) == (1, True, True)
    ended = uk("witness", "resume", CA, answer="y\n")
    assert (ended.code, ended.out.lstrip()) == (
        0,
        f"The log of {CA} is witnessed again from 8 leaves on.\n",
    )
    assert uk("alarms", "list", "--json").json == []


def test_a_healthy_log_is_not_forgotten(pair: list[Institute], uk: Run) -> None:
    split(pair)
    assert uk("witness", "resume", CA, "--yes").code == 0
    for words in ((), ("--anew",)):
        ended = uk("witness", "resume", CA, *words, "--yes")
        assert (ended.code, "is not halted" in ended.err) == (1, True)
    assert held(pair[0]).size == 8


def test_a_halted_log_can_begin_anew(pair: list[Institute], uk: Run) -> None:
    split(pair)
    told = uk("witness", "resume", CA, "--anew", "--yes", "--json")
    assert told.json == [{"institute": CA, "size": 0}]
    assert "that it had 8 leaves" in told.err


def test_resuming_a_log_that_nobody_saw_says_where_to_look(uk: Run) -> None:
    ended = uk("witness", "resume", "eve.example")
    assert ended.code == 1
    assert "comity-node witness list" in ended.err


def test_the_own_log_is_never_resumed_and_a_new_one_takes_its_place(
    pair: list[Institute], uk: Run
) -> None:
    one = pair[0]
    one.publish(card())
    one.node.signer.sign()
    take_shared_checkpoints(one.node, CA, [history(one).note(7).to_bytes()])
    told = uk("status").err
    assert ("LOG_ROLLED_BACK" in told, "comity-node log new" in told) == (True, True)
    for words in ((), ("--anew",)):
        ended = uk("witness", "resume", UK, *words, "--yes")
        assert (ended.code, "comity-node log new" in ended.err) == (1, True)
    assert [bool(row.halted) for row in one.rows(LogHeadRow)] == [True]
    [value] = uk("log", "list", "--json").json
    assert (value["state"], value["size"], value["toldSize"]) == ("halted", 1, 7)

    begun = uk("log", "new")
    assert (begun.code, "has begun" in begun.out, "comity-node bundle" in begun.err) == (
        0,
        True,
        True,
    )
    assert [value["state"] for value in uk("log", "list", "--json").json] == ["closed", "signed"]
    assert uk("alarms", "list", "--json").json == []
    # a log that is sound needs no other in its place
    assert uk("log", "new").code == 1


def test_publishing_to_a_halted_log_stores_nothing_and_says_what_to_do(
    pair: list[Institute], uk: Run, tmp_path: Path
) -> None:
    one = pair[0]
    one.publish(card())
    one.node.signer.sign()
    take_shared_checkpoints(one.node, CA, [history(one).note(7).to_bytes()])
    file = tmp_path / "card.yaml"
    file.write_bytes(card().to_yaml())
    ended = uk("publish", str(file))
    assert (ended.code, ended.out) == (1, "")
    assert "holds our checkpoint of 7 leaves" in ended.err
    assert "comity-node log new" in ended.err
    assert len(one.rows(RecordRow)) == 1


def test_auditors_read_witnessed_logs_evidence_and_alarms(tmp_path: Path) -> None:
    async def scenario() -> None:
        home, other = make_home(tmp_path, UK), make_home(tmp_path, CA)
        [signer] = other.keychain().log
        auditor = home.authority.issue(SpiffeId(UK, Role.AUDITOR, "bo"))
        async with serving(home) as one, calling(one.node.bundle, auditor) as line:
            one.node.add_peer(other.bundle())
            audit = audit_service_pb2_grpc.AuditServiceStub(line)
            admin = admin_service_pb2_grpc.AdminServiceStub(line)
            note = History(signer, TRUE).note(8).to_bytes()
            await asyncio.to_thread(add_checkpoint, one.node, note, 0, [])
            answer = await audit.ListWitnessedLogs(audit_service_pb2.ListWitnessedLogsRequest())
            assert [(log.institute, log.checkpoint, log.halted) for log in answer.logs] == [
                (CA, note, "")
            ]
            fork = History(signer, FALSE).note(8).to_bytes()
            await asyncio.to_thread(take_shared_checkpoints, one.node, FR, [fork])
            for institute, count in ((CA, 1), ("", 1), (FR, 0), ("\x00", 0)):
                request = audit_service_pb2.ListSplitViewsRequest(institute=institute)
                found = (await audit.ListSplitViews(request)).split_views
                assert len(found) == count
                for view in found:
                    assert SplitView.parse(view.evidence).check([signer.verifier])
            status = await admin.GetStatus(admin_service_pb2.GetStatusRequest())
            assert [(alarm.institute, alarm.reason) for alarm in status.alarms] == [
                (CA, "SPLIT_VIEW")
            ]
            with one.node.store.write() as session:
                resume_witnessing(session, CA, anew=True)
            [log] = (
                await audit.ListWitnessedLogs(audit_service_pb2.ListWitnessedLogsRequest())
            ).logs
            assert log.checkpoint == b""

    run(scenario())
