"""A database that goes away is told once when it goes, and once when it is back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from comity.node.database.store import Store
from comity.node.home.folder import Home
from comity.node.server.background.lasting_failures import LastingFailures
from comity.v1 import admin_service_pb2 as pb
from comity.v1 import admin_service_pb2_grpc as rpc
from tests.support.command_line import Run, init
from tests.support.hostile_calls import operating, refusal
from tests.support.network import run, until


def gone(*_: object) -> None:
    """Fail as a driver does whose server has gone away."""
    raise OperationalError("SELECT 1", {}, sqlite3.OperationalError("server closed the connection"))


def test_one_line_says_that_it_went_and_one_that_it_is_back() -> None:
    failures = LastingFailures()
    with capture_logs() as logs:
        for _ in range(3):
            for work in ("cannot release", "cannot keep the mark"):
                with failures.told(work):
                    gone()
        for _ in range(2):
            with failures.told("cannot release"):
                pass
    assert [line["event"] for line in logs] == ["the database is away", "the database is back"]
    assert logs[0]["hint"]


def test_what_nobody_foresaw_is_told_each_time() -> None:
    failures = LastingFailures()
    with capture_logs() as logs:
        for _ in range(2):
            with failures.told("cannot release"):
                raise ZeroDivisionError
    assert [line["event"] for line in logs] == ["cannot release"] * 2


def test_callers_hear_that_the_database_is_away_and_no_traceback_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with operating(tmp_path) as (_, line):
            admin = rpc.AdminServiceStub(line)
            with capture_logs() as logs, monkeypatch.context() as away:
                away.setattr(Store, "_connect", gone)
                told = await refusal(admin.GetStatus(pb.GetStatusRequest()))
                assert told.reason == "UNAVAILABLE"
                await until(
                    lambda: any(e["event"] == "the database is away" for e in logs), "the line"
                )
                away.undo()
                await until(
                    lambda: any(e["event"] == "the database is back" for e in logs), "the end"
                )
            assert not [e for e in logs if "exc_info" in e or "exception" in e]
            assert await admin.GetStatus(pb.GetStatusRequest())

    run(scenario())


def test_a_database_that_is_missing_leaves_no_fresh_one_behind(comity_node: Run) -> None:
    init(comity_node)
    assert comity_node("status").code == 3
    home = Home(Path("uk"))
    for file in home.path.glob("comity.db*"):
        file.unlink()
    ended = comity_node("status")
    assert (ended.code, "the database is missing" in ended.err) == (1, True)
    assert list(home.path.glob("comity.db*")) == []
