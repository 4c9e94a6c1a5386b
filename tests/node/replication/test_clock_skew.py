"""Clocks that differ: both operators are told, and a slow line is no skew."""

from __future__ import annotations

import json
from pathlib import Path

from comity.node.database.tables import AlarmRow, PeerRow
from comity.node.replication.clock_skew import CLOCK_SKEW, MAX_SKEW_MS, note_peer_time
from comity.policies.preset import load_preset
from tests.support.institutes import HandClock, Institute
from tests.support.network import Running, befriend, command, make_home, run, serving, until

UK, CA = "uk.aisi.example", "ca.aisi.example"


def alarm(one: Running | Institute) -> list[AlarmRow]:
    return [row for row in one.rows(AlarmRow) if row.reason == CLOCK_SKEW]


def test_both_operators_are_told_that_their_clocks_differ(tmp_path: Path, clock: HandClock) -> None:
    ahead = HandClock()
    ahead.turn(600)

    async def test() -> None:
        async with (
            serving(make_home(tmp_path, UK), ahead) as uk,
            serving(make_home(tmp_path, CA), clock) as ca,
        ):
            befriend(ca, uk)
            befriend(uk, ca)
            uk.node.set_policy(load_preset("open"))
            await until(lambda: alarm(ca) and alarm(uk), "alarms at both")
            for one, way in ((ca, "ahead of"), (uk, "behind")):
                assert f"is {way} this node's clock" in alarm(one)[0].message
            code, out, err = await command(ca, "peers", "list", "--json")
            assert (code, round(json.loads(out)[0]["clockAheadSeconds"], -1)) == (0, 600)
            _, _, err = await command(uk, "status")
            assert f"the clock of {CA} is behind this node's clock by" in " ".join(err.split())

    run(test())


def test_time_on_the_way_is_no_skew_and_an_agreement_clears_the_alarm(
    pair: list[Institute],
) -> None:
    uk, _ = pair
    now, slow = uk.node.clock(), 10 * MAX_SKEW_MS

    def skew(told: int) -> int | None:
        with uk.node.store.write() as session:
            row = session.get_one(PeerRow, CA)
            note_peer_time(session, row, told, now - slow, now)
            return row.clock_skew

    assert skew(now - slow) == skew(now - slow // 2) == skew(now) == 0
    assert alarm(uk) == []
    assert skew(now + MAX_SKEW_MS + 1) == MAX_SKEW_MS + 1
    assert skew(now - slow - 2 * MAX_SKEW_MS) == -2 * MAX_SKEW_MS
    assert len(alarm(uk)) == 1
    assert skew(now) == 0
    assert alarm(uk) == []
