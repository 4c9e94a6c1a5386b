"""Standing as operators and peers are shown it: in tables, in JSON and over the wire."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comity.client.command_line import run as run_command
from comity.node.commands.app import app
from comity.node.database.tables import PeerRow
from comity.node.release.standing_report import report_standing
from comity.node.trust.peers import get_peer
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute
from tests.support.network import command, network, run, until
from tests.support.standing import BOTH

UK, CA = "uk.aisi.example", "ca.aisi.example"

DAY = 86_400


def test_a_peer_learns_how_much_it_misses_by_kind_and_nothing_more(pair: list[Institute]) -> None:
    uk, ca = pair
    uk.node.set_policy(BOTH)
    uk.publish(card("secret-name"))
    uk.publish(card("secret-name", kind="evaluation"))
    uk.publish(card("red", tlp="RED", releasable_to=[]))
    with uk.node.store.read() as session:
        told = report_standing(session, get_peer(session, CA), uk.node.clock())
    assert {kind.kind: kind.withheld for kind in told.kinds} == {"model-card": 1, "evaluation": 1}
    assert "secret" not in str(told)
    ca.publish(card("one"))
    uk.pull(ca)
    uk.node.release()
    with uk.node.store.read() as session:
        told = report_standing(session, get_peer(session, CA), uk.node.clock())
    counts = {kind.kind: (kind.received, kind.pending, kind.withheld) for kind in told.kinds}
    assert counts == {"model-card": (1, 1, 0), "evaluation": (0, 0, 1)}


def typed(one: Institute, *words: str) -> int:
    """Run comity-node on an institute's home; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        run_command(app, ["--home", str(one.node.home.path), *words])
    return int(ended.value.code or 0)


def test_operators_read_standing_in_a_table(
    pair: list[Institute], clock: HandClock, capsys: pytest.CaptureFixture[str]
) -> None:
    uk, ca = pair
    clock.turn(-366 * DAY)
    ca.publish(card("one"))
    uk.pull(ca)
    clock.turn(366 * DAY)
    uk.publish(card("two"))
    capsys.readouterr()
    assert typed(uk, "standing") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    # received, given, pending, rejected, credit, withheld
    assert last.split() == [CA, "model-card", "0", "(1)", "0", "1", "0", "0", "0"]
    assert typed(uk, "standing", "--ask") == 1
    assert "expected the peer to ask" in capsys.readouterr().err


def test_standing_over_the_wire_is_the_callers_own(tmp_path: Path) -> None:
    async def test() -> None:
        async with network(tmp_path, UK, CA) as [uk, ca]:
            ca.node.publish(ca.sign(card()))
            await until(lambda: ca.rows(PeerRow, institute=UK)[0].receipted, "receipt of uk")
            _, mine, _ = await command(uk, "standing", CA, "--json")
            code, theirs, _ = await command(uk, "standing", "--ask", CA, "--json")
            assert code == 0
            [[here], [there]] = [json.loads(told)[0]["kinds"] for told in (mine, theirs)]
            assert (here["received"], here["given"]) == (1, 0)
            assert (there["received"], there["given"], there["pending"]) == (0, 1, 0)

    run(test())
