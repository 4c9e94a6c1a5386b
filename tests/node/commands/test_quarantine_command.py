"""Records that are not taken, as the operators of both sides see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comity.node.database.tables import NotStoredRow, QuarantineRow, RecordRow
from comity.node.server.background import workers
from comity.policies.preset import load_preset
from tests.support.drafts import card
from tests.support.institutes import HandClock
from tests.support.network import befriend, command, make_home, run, serving, until

UK, CA = "uk.aisi.example", "ca.aisi.example"
WAITS = {"waiting": {"ISSUED_IN_FUTURE": 1}, "refused": {}}
TAKEN: dict[str, dict[str, int]] = {"waiting": {}, "refused": {}}


def test_both_operators_see_a_record_that_waits_and_both_see_when_it_was_taken(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "RETRY_SECONDS", 0.1)
    ahead = HandClock()
    ahead.turn(3600)

    async def test() -> None:
        async with (
            serving(make_home(tmp_path, UK), ahead) as uk,
            serving(make_home(tmp_path, CA), clock) as ca,
        ):
            befriend(uk, ca)
            befriend(ca, uk)
            uk.node.set_policy(load_preset("open"))
            record = card().sign(uk.node.home.node_id, uk.node.key, ahead.time)
            uk.node.publish(record)
            await until(lambda: uk.rows(NotStoredRow), "a receipt that names the record")

            # (1) the sender: in the list of peers, in standing, and as a difference
            code, out, err = await command(uk, "peers", "list", "--json")
            assert (code, json.loads(out)[0]["notTakenThere"]) == (0, WAITS)
            code, out, err = await command(uk, "standing")
            told = " ".join(err.split())
            assert f"not taken by {CA}: 1 waiting (1 ISSUED_IN_FUTURE)" in told
            code, out, err = await command(uk, "reconcile", CA, "--json")
            [difference] = json.loads(out)["accounts"][0]["differences"]
            assert (code, difference["finding"]) == (1, "WAITING")
            assert difference["recordIds"] == [record.record_id]

            # (2) the receiver: by record, and in the state of the node
            code, out, err = await command(ca, "quarantine", UK, "--json")
            [entry] = json.loads(out)
            assert (entry["recordId"], entry["state"]) == (record.record_id, "waiting")
            assert "clock" in entry["nextStep"]
            code, out, err = await command(ca, "status", "--json")
            assert json.loads(out)["peers"][0]["notTaken"] == WAITS
            code, out, err = await command(ca, "reconcile", UK, "--json")
            assert code == 1

            # (3) time passes: the record is taken, and the sender is told
            clock.turn(3600)
            await until(lambda: ca.rows(RecordRow), "the record")
            await until(lambda: not uk.rows(NotStoredRow), "word that it was taken")
            assert ca.rows(QuarantineRow) == []
            code, out, err = await command(uk, "peers", "list", "--json")
            assert json.loads(out)[0]["notTakenThere"] == TAKEN
            code, out, err = await command(uk, "reconcile", CA)
            assert (code, out.splitlines()[-1]) == (0, "Both ledgers agree.")

    run(test())
