"""A log is asked when its node tells of a checkpoint, and now and then whatever the node tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.node.database.tables import CheckpointRow, CosignatureRow, SightingRow
from comity.node.server.background import log_witnessing
from comity.node.server.services import outgoing_stream
from comity.node.server.services.outgoing_stream import OutgoingStream
from comity.node.witness.gossip import take_shared_checkpoints
from comity.v1 import exchange_service_pb2 as pb
from tests.support.network import Running, network, run, until
from tests.support.replication import publish_card

UK, CA, FR = "uk.aisi.example", "ca.aisi.example", "fr.aisi.example"
NEVER = 86_400.0


def pace(monkeypatch: pytest.MonkeyPatch, *, untold: float, silent: float) -> None:
    """Set after how many seconds a log is asked that does not tell, and one that does."""
    monkeypatch.setattr(log_witnessing, "INTERVAL_SECONDS", untold)
    monkeypatch.setattr(log_witnessing, "SILENT_SECONDS", silent)
    # what fails on a busy machine is tried again soon
    monkeypatch.setattr(log_witnessing, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(log_witnessing, "GATHER_SECONDS", 0.02)


async def cosigned(one: Running, size: int) -> None:
    await until(lambda: one.rows(CosignatureRow, size=size), f"a cosignature of {size} leaves")


def grows_twice_between_two(folder: Path) -> None:
    """Let a log of two nodes' grow and be cosigned twice."""

    async def scenario() -> None:
        async with network(folder, UK, CA) as (uk, _):
            await grown_twice(uk)

    run(scenario())


async def grown_twice(uk: Running) -> None:
    """Let a log grow and be cosigned, and then again, as only questions without a cause show."""
    for size in (1, 2):
        publish_card(uk)
        await cosigned(uk, size)


def test_a_checkpoint_that_is_told_of_is_cosigned_without_a_second_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace(monkeypatch, untold=NEVER, silent=NEVER)
    grows_twice_between_two(tmp_path)


def test_the_log_of_a_node_that_never_tells_is_asked_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace(monkeypatch, untold=0.1, silent=NEVER)
    message = OutgoingStream._message

    def as_an_older_version(stream: OutgoingStream, *args: object, **what: object) -> object:
        said: pb.ReplicateResponse = message(stream, *args, **what)  # type: ignore[arg-type]
        said.ClearField("log_size")
        return said

    monkeypatch.setattr(OutgoingStream, "_message", as_an_older_version)
    grows_twice_between_two(tmp_path)


def test_the_log_of_a_node_that_withholds_its_news_is_asked_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace(monkeypatch, untold=NEVER, silent=0.1)
    monkeypatch.setattr(outgoing_stream, "newest_size", lambda _: 0)
    grows_twice_between_two(tmp_path)


def test_a_log_is_asked_about_a_sighting_though_it_has_no_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace(monkeypatch, untold=NEVER, silent=NEVER)

    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, ca):
            await grown_twice(ca)
            [older] = ca.rows(CheckpointRow, size=1)
            take_shared_checkpoints(uk.node, FR, [older.note])
            assert uk.rows(SightingRow, institute=CA)
            await until(lambda: uk.rows(SightingRow, checked=True), "the log's proof")

    run(scenario())
