"""``comity-node policy simulate``: what operators read, and the real network as a scenario."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comity.client.command_line import run as run_command
from comity.node.commands.app import app
from comity.node.policy.network_scenario import network_scenario
from comity.policies.evaluator import Policy
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from comity.policies.simulation.library import scenario_names
from comity.policies.simulation.network import Network
from comity.policies.simulation.report import report
from tests.support.databases import sqlite_databases
from tests.support.drafts import card
from tests.support.institutes import HandClock, institutes
from tests.support.scenarios import PAIR

UK, CA, JP = (f"{name}.aisi.example" for name in ("uk", "ca", "jp"))

MINE = PAIR.replace("POLICY", "mine.cedar")


def simulate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        run_command(app, arguments)
    captured = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, captured.out, captured.err


def test_the_command_tells_who_waits_for_whom(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = simulate(capsys, "policy", "simulate", "like-for-like-deadlock")
    assert code == 0
    assert "deadlock since day" in out
    assert "1 more of kind evaluation from uk.aisi.example would release 19 of the 23" in out
    assert max(map(len, out.splitlines()[1:6])) <= 100
    assert out.startswith("Two institutes that wait for each other.")
    assert "ca.aisi.example lacks 37, withheld by uk.aisi.example (37)" in out
    assert all(f"{word}: " in out for word in ("gain", "lacks", "free rider", "starved"))
    _, escaped, _ = simulate(capsys, "policy", "simulate", "balanced-escape")
    assert "no deadlock" in escaped
    _, listed, _ = simulate(capsys, "policy", "simulate", "--list")
    assert all(name in listed for name in scenario_names())


def test_deadlocks_that_differ_in_names_alone_are_told_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text("""
        days = 9
        [[crowd]]
        count = 4
        policy = "like-for-like"
        issues = [{ kind = "evaluation", count = 9 }]
    """)
    _, out, _ = simulate(capsys, "policy", "simulate", str(file))
    [told] = [line for line in out.splitlines() if "deadlock" in line]
    assert told.endswith("; so do 5 more pairs of member-#.aisi.example")
    assert "member-1.aisi.example lacks 27, withheld by member-#.aisi.example (27)" in out
    _, out, _ = simulate(capsys, "policy", "simulate", str(file), "--json")
    withheld = json.loads(out)["withheld"]
    assert {(one["giver"], one["records"]) for one in withheld} == {
        (f"member-{number}.aisi.example", 9) for number in range(1, 5)
    }


def test_the_command_writes_json_and_a_picture_and_overwrites_none(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, picture = tmp_path / "plan.toml", tmp_path / "plan.svg"
    file.write_text(MINE)
    (tmp_path / "mine.cedar").write_text('@id("all") permit (principal, action, resource);')
    line = ("policy", "simulate", str(file), "--json", "--picture", str(picture))
    code, out, _ = simulate(capsys, *line)
    value = json.loads(out)
    assert code == 0
    assert value["matrix"] == [[0, 10], [10, 0]]
    assert value["results"][0]["policy"] == "mine.cedar"
    assert value["mean"][-1] == 1
    drawn = picture.read_text()
    monkeypatch.setattr(Network, "play", None)  # it is refused before anything is played
    code, _, told = simulate(capsys, *line)
    assert code == 1
    assert "exists already" in told
    assert picture.read_text() == drawn


def test_the_command_names_the_file_the_line_and_the_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(MINE.replace("count", "cuont", 1))
    picture = tmp_path / "plan.svg"
    code, out, told = simulate(capsys, "policy", "simulate", str(file), "--picture", str(picture))
    assert (code, out) == (1, "")
    assert f"{file}: institute[0].issues[0].cuont: line 6: unknown key" in told
    assert not picture.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("x" * 300,), "expected a file, or one of"),
        (("free-rider", "--picture", "x.png"), "--picture: expected a name that ends in .svg"),
        (("free-rider", "--picture", "x" * 300 + ".svg"), "cannot be written"),
        (("free-rider", "--picture", "/nowhere/x.svg"), "expected a folder that exists"),
        (("free-rider", "--policy", "open"), "--policy: expected --network beside it"),
        (("free-rider", "--peer-policy", "open"), "--peer-policy: expected --network beside it"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, told = simulate(capsys, "policy", "simulate", *words)
    assert (code, out) == (1, "")
    assert message in told


def test_the_real_network_becomes_a_scenario_of_what_is_known_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = HandClock()
    clock.turn(-3 * 86_400)
    with institutes(tmp_path, clock, sqlite_databases(tmp_path), UK, CA, JP) as [uk, ca, jp]:
        for one in (uk, ca, jp):
            one.node.set_policy(load_preset("open"))
        uk.publish(card("first"))
        clock.turn(3 * 86_400)
        uk.publish(card("second", tlp="CLEAR"))
        ca.publish(card("third"))
        uk.pull(ca)
        uk.node.set_peer_status(JP, PeerStatus.PROBATION)
        with uk.node.store.read() as session:
            shape = network_scenario(session, UK, "open", "balanced", clock())
        home = str(uk.node.home.path)
    assert shape.days == 4
    assert [(one.id, one.status) for one in shape.institute] == [
        (UK, "member"),
        (CA, "member"),
        (JP, "probation"),
    ]
    policies = {name: Policy.parse(load_preset(name)) for name in ("open", "balanced")}
    network = Network(shape, policies)
    network.play()
    assert report(network).matrix == ((0, 2, 1), (1, 0, 0), (0, 0, 0))
    code, out, _ = simulate(capsys, "--home", home, "policy", "simulate", "--network", "--json")
    assert code == 0
    value = json.loads(out)
    assert value["matrix"] == [[0, 2, 1], [1, 0, 0], [0, 0, 0]]
    assert value["incomplete"] == [UK]
    own, *others = value["results"]
    assert (own["coverage"], own["missing"]) == (None, None)
    assert [other["coverage"] for other in others] == [1, 1]
    _, out, _ = simulate(capsys, "--home", home, "policy", "simulate", "--network")
    assert f"of {UK} neither coverage nor what it lacks is told" in " ".join(out.split())
