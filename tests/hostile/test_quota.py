"""The quota of a peer: over it nothing is taken, nothing lost, and both operators know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comity.node.database.tables import AlarmRow, PeerRow, QuarantineRow, RecordRow
from comity.node.home.folder import Home
from comity.node.policy.standing.rule import DAY_MS
from comity.policies.preset import load_preset
from tests.support.drafts import card
from tests.support.hostile_calls import CA, UK
from tests.support.institutes import HandClock
from tests.support.lying_peer import ACCEPTED, Liar, batch, haste, lying, saying
from tests.support.network import Running, befriend, command, make_home, run, serving, until


def home_with_quota(root: Path, institute: str, name: str, most: int) -> Home:
    """Make a home that takes little of a peer on a day."""
    home = make_home(root, institute)
    file = home.path / "comity.toml"
    before = {"peer_records_per_day": "250000", "peer_bytes_per_day": "17179869184"}[name]
    text = file.read_text()
    assert f"{name} = {before}" in text
    file.write_text(text.replace(f"{name} = {before}", f"{name} = {most}"))
    return Home(home.path)


def alarms(one: Running) -> list[str]:
    return [row.reason for row in one.rows(AlarmRow)]


@pytest.mark.parametrize(("name", "most"), [("peer_records_per_day", 4), ("peer_bytes_per_day", 1)])
def test_a_flood_of_good_records_stops_at_the_quota_and_goes_on_the_next_day(
    tmp_path: Path, clock: HandClock, name: str, most: int
) -> None:
    async def test() -> None:
        home = home_with_quota(tmp_path, UK, name, most)
        with haste():
            async with serving(home, clock) as uk, lying(tmp_path, CA, uk, saying()) as ca:
                batches = [[ca.sign(card(f"m-{n}-{i}")) for i in range(3)] for n in range(6)]
                flood = [
                    batch(*some, after=str(n) if n else "", cursor=str(n + 1))
                    for n, some in enumerate(batches)
                ]
                ca.script = saying(ACCEPTED, *flood)
                taken = 2 if name == "peer_records_per_day" else 1

                # (1) the batch that reaches the quota is the last one; the peer is told
                await until(lambda: paused(ca), "word of the pause")
                assert len(uk.rows(RecordRow)) == 3 * taken
                assert paused(ca) == [(clock.now // DAY_MS + 1) * 86_400]
                assert "QUOTA_REACHED" in alarms(uk)
                assert uk.rows(QuarantineRow) == []

                # (2) the next day it goes on where it stopped
                clock.turn(86_400)
                await until(lambda: len(uk.rows(RecordRow)) >= 6 * taken, "the next day's records")

    run(test())


def paused(ca: Liar) -> list[int]:
    return [time for stream in ca.streams for time in stream.paused_until]


def test_both_operators_see_a_pause_and_what_waited_arrives_after_it(
    tmp_path: Path, clock: HandClock
) -> None:
    async def test() -> None:
        home = home_with_quota(tmp_path, CA, "peer_records_per_day", 1)
        async with serving(make_home(tmp_path, UK)) as uk, serving(home, clock) as ca:
            befriend(uk, ca)
            befriend(ca, uk)
            uk.node.set_policy(load_preset("open"))
            uk.node.publish(uk.sign(card("one")))
            await until(lambda: row(uk, CA).paused_until, "word of the pause")
            uk.node.publish(uk.sign(card("two")))

            for one, peer, name in ((uk, CA, "pausedThereUntil"), (ca, UK, "pausedUntil")):
                code, out, _ = await command(one, "peers", "list", "--json")
                assert (code, json.loads(out)[0]["institute"]) == (0, peer)
                assert json.loads(out)[0][name] is not None
                _, _, err = await command(one, "peers", "list")
                assert "paused by quota until" in " ".join(err.split())

            clock.turn(86_400)
            await until(lambda: len(ca.rows(RecordRow)) == 2, "the second record")
            await until(lambda: row(uk, CA).receipted == row(uk, CA).offered, "receipts for all")

    run(test())


def row(one: Running, peer: str) -> PeerRow:
    [found] = one.rows(PeerRow, institute=peer)
    peer_row: PeerRow = found
    return peer_row
