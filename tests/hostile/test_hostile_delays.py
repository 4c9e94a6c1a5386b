"""Peers that send garbage or nothing for ever are cut off, and delay nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from comity.node.database.tables import QuarantineRow, RecordRow
from comity.node.records import quarantine
from comity.node.server.background import peer_stream, pull
from tests.support.drafts import card
from tests.support.hostile_calls import CA, EVE
from tests.support.lying_peer import (
    ACCEPTED,
    CUT,
    HEARTBEAT,
    Said,
    batch,
    called_again,
    deceived,
    fault_noted,
    garbage,
    in_a_row,
    lying,
    saying,
)
from tests.support.network import run, until

LONGEST = 1


@pytest.mark.parametrize("old", [False, True])
def test_garbage_for_ever_is_cut_off_and_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    """Also where each batch holds a good record that is here already."""
    monkeypatch.setattr(pull, "MAX_BAD_IN_A_ROW", 50)
    monkeypatch.setattr(quarantine, "MAX_ENTRIES", 20)
    sent = count()

    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            known = ca.sign(card())
            ca.script = saying(ACCEPTED, batch(known, cursor="start"), CUT)
            await until(lambda: ca.row.cursor == "start", "one good record")

            def for_ever(cursor: str) -> Iterator[Said]:
                yield ACCEPTED
                for number in sent:
                    records = [known] if old else []
                    bad = [garbage(10 * number + i) for i in range(10)]
                    yield batch(*records, *bad, after=cursor, cursor=f"c{number}")
                    cursor = f"c{number}"

            ca.script = for_ever
            await fault_noted(ca, "FLOODED")
            ca.pauses.clear()
            await called_again(ca, 3)
            assert set(ca.pauses) == {LONGEST}
            assert len(uk.rows(QuarantineRow)) <= 20
            assert [r.record_id for r in uk.rows(RecordRow)] == [known.record_id]

    run(scenario())


def test_a_stream_that_falls_silent_is_called_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_stream, "SILENCE", 0.2)

    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            record = ca.sign(card())

            def then_silent(cursor: str) -> list[Said]:
                more = [batch(record)] if len(ca.streams) > 3 and not cursor else []
                return [ACCEPTED, HEARTBEAT, HEARTBEAT, *more]

            ca.script = then_silent
            await fault_noted(ca, "UNAVAILABLE: silent")
            await until(lambda: uk.rows(RecordRow, record_id=record.record_id), "what came later")

    run(scenario())


def test_a_peer_that_never_behaves_delays_nobody_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca), lying(tmp_path, EVE, uk, saying()) as eve:
            eve.script = saying(ACCEPTED, b"\xff")
            ca.script = saying(ACCEPTED, *in_a_row(*([ca.sign(card())] for _ in range(5))))
            await until(lambda: len(ca.receipts) == 5, "all of ca's records")
            await fault_noted(eve, "INVALID_INPUT")
            assert {row.origin for row in uk.rows(RecordRow)} == {CA}

    run(scenario())
