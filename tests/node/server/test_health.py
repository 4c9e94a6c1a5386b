"""Health: a node says itself whether it can answer, to probes by gRPC and to its operators."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from comity.client.connection.channel import open_channel
from comity.node.home.serving import serving_processes
from comity.node.server import health
from comity.node.server.health import ask_health
from comity.node.server.process import SERVICES
from comity.record.spiffe import Role
from tests.support.network import Running, command_at, make_home, run, serving

UK = "uk.aisi.example"
Status = health_pb2.HealthCheckResponse


async def probe(running: Running, service: str = "") -> int:
    """Ask the node for its health as a probe does, and return the status."""
    profile = running.node.home.grant(Role.ANALYST, "probe")
    identity = profile.certificate.encode(), profile.private_key.encode()
    async with open_channel(profile.bundle, *identity) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        return int(answer.status)


def lose_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look at the database find that it cannot be reached."""
    monkeypatch.setattr(health.Health, "_ask_database", lambda self: "the database is away")
    monkeypatch.setattr(health, "FRESH_SECONDS", 0)


@pytest.mark.parametrize("service", ["", *SERVICES])
def test_a_node_that_serves_says_so_for_each_service(tmp_path: Path, service: str) -> None:
    async def scenario() -> None:
        async with serving(make_home(tmp_path, UK)) as uk:
            assert await probe(uk, service) == Status.SERVING

    run(scenario())


def test_a_node_without_its_database_is_not_serving_until_the_database_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with serving(make_home(tmp_path, UK)) as uk:
            with monkeypatch.context() as lost:
                lose_database(lost)
                assert await probe(uk) == Status.NOT_SERVING
                told = await ask_health(uk.node.home, uk.node.bundle, uk.server.address)
                assert "database cannot be reached" in told
            monkeypatch.setattr(health, "FRESH_SECONDS", 0)
            assert await probe(uk) == Status.SERVING

    run(scenario())


def test_many_probes_cause_one_look_at_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with serving(make_home(tmp_path, UK)) as uk:
            looks: list[str] = []
            ask = health.Health._ask_database

            def counted(self: health.Health) -> str:
                looks.append("look")
                return ask(self)

            monkeypatch.setattr(health.Health, "_ask_database", counted)
            monkeypatch.setattr(health, "FRESH_SECONDS", 3600)
            answers = [uk.server.health.problem() for _ in range(100)]
            assert set(await asyncio.gather(*answers)) == {""}
            assert len(looks) == 1

    run(scenario())


def test_status_tells_where_a_home_is_served_and_exits_by_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path, UK)
        code, out, _ = await command_at(home, "status")
        assert (code, "not running" in out) == (3, True)

        async with serving(home) as uk:
            code, out, _ = await command_at(home, "status")
            assert code == 0
            assert f"at {uk.server.address} since " in out

            # the process is there, and nobody can be answered
            with pytest.MonkeyPatch.context() as lost:
                lose_database(lost)
                code, out, _ = await command_at(home, "status")
                assert (code, "not ready" in out) == (4, True)
        assert serving_processes(home.state) == []

    run(scenario())


def test_a_process_that_died_does_not_count_as_serving(tmp_path: Path) -> None:
    folder = tmp_path / "serving"
    folder.mkdir()
    # what a killed process leaves: its file, and no lock
    (folder / "4711.json").write_text('{"process": 4711}')
    assert serving_processes(tmp_path) == []
