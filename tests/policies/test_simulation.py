"""Simulation: scenarios show what they say, and play as real nodes do."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from comity.policies.evaluator import Policy
from comity.policies.preset import load_preset
from comity.policies.simulation import report as simulation_report
from comity.policies.simulation.library import (
    load_policies,
    load_scenario,
    scenario_folder,
    scenario_names,
    scenario_summary,
)
from comity.policies.simulation.network import Network
from comity.policies.simulation.picture import draw
from comity.policies.simulation.report import (
    VERDICT_DAYS,
    InstituteResult,
    SimulationOutcome,
    report,
)
from comity.policies.simulation.scenario_file import parse_scenario
from tests.support.scenarios import PAIR, play

UK, CA, JP, IT = (f"{name}.aisi.example" for name in ("uk", "ca", "jp", "it"))


def shipped(name: str) -> SimulationOutcome:
    return report(play(load_scenario(name)))


def result(outcome: SimulationOutcome, institute: str) -> InstituteResult:
    return next(r for r in outcome.results if r.institute == institute)


def coverage(outcome: SimulationOutcome, institute: str) -> float:
    share = result(outcome, institute).coverage
    assert share is not None
    return share


# --- what the shipped scenarios show -------------------------------------------------------------


def test_two_that_keep_like_for_like_wait_for_each_other() -> None:
    outcome = shipped("like-for-like-deadlock")
    [deadlock] = outcome.deadlocks
    assert {side.giver for side in deadlock.sides} == {UK, CA}
    assert {side.rules for side in deadlock.sides} == {("like-for-like-kind",)}
    assert deadlock.way_out is not None
    assert deadlock.way_out.records == 1
    given = dict(zip((r.institute for r in outcome.results), outcome.matrix, strict=True))
    assert given[UK][1] == given[CA][0] == 0
    assert given[UK][2] > 0
    assert given[CA][2] > 0


def test_the_way_out_of_a_deadlock_ends_it() -> None:
    text = load_scenario("like-for-like-deadlock")
    way = report(play(text)).deadlocks[0].way_out
    assert way is not None
    network = play(text)
    pair = network.pairs[way.receiver, way.giver]
    [line] = [n for n in network.lines[way.receiver] if n.kind == way.kind]
    assert pair.release_own(line) == (0, 0)
    pair.count("received", way.kind, way.records)
    assert pair.release_own(line) == (way.releases, way.releases)
    assert way.releases > 0


def test_balanced_lets_the_same_two_exchange_everything() -> None:
    outcome, stuck = shipped("balanced-escape"), shipped("like-for-like-deadlock")
    assert outcome.deadlocks == ()
    assert [r.issued for r in outcome.results] == [r.issued for r in stuck.results]
    for institute in (UK, CA):
        assert coverage(outcome, institute) == 1 > coverage(stuck, institute)


def test_a_free_rider_is_starved_and_the_others_are_not() -> None:
    outcome = shipped("free-rider")
    rider = result(outcome, IT)
    assert rider.free_rider
    assert rider.starved
    assert coverage(outcome, IT) < 0.5
    for institute in (UK, CA, JP):
        assert not result(outcome, institute).free_rider
        assert coverage(outcome, institute) == 1


def test_an_institute_that_was_down_falls_behind_and_catches_up() -> None:
    outcome = shipped("free-rider")
    place = [r.institute for r in outcome.results].index(CA)
    shares = [day[place] or 0 for day in outcome.history]
    assert shares[48] == 1 > shares[69]
    assert shares[70] == 1


def test_a_hundred_institutes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    # in full it takes a minute; the shipped scenario has 90 days
    monkeypatch.setattr(simulation_report, "VERDICT_DAYS", 6)
    text = load_scenario("hundred-institutes")
    network = play(text.replace("days = 90", "days = 6\ndeadlock_days = 2"))
    assert len(network.institutes) == 100
    outcome = report(network)
    assert len(outcome.deadlocks) == 12 * 11 / 2
    assert {d.sides[0].giver.split("-")[0] for d in outcome.deadlocks} == {"strict"}
    assert all(r.free_rider for r in outcome.results if r.institute.startswith("taker-"))
    assert ET.fromstring(draw(outcome)).tag.endswith("svg")


def test_nobody_is_judged_before_there_is_something_to_judge_by() -> None:
    text = load_scenario("free-rider")
    for days, judged in ((VERDICT_DAYS - 1, False), (VERDICT_DAYS, True)):
        outcome = report(play(text.replace("days = 120", f"days = {days}")))
        assert any(r.free_rider or r.starved for r in outcome.results) is judged


def test_every_shipped_scenario_says_on_top_what_it_shows() -> None:
    assert len(scenario_names()) >= 4
    for name in scenario_names():
        assert len(scenario_summary(name)) > 100
        assert parse_scenario(load_scenario(name)).title


# --- who waits for whom ---------------------------------------------------------------------------


def test_a_kind_that_moves_does_not_free_one_that_stands_still_beside_it() -> None:
    moving = PAIR.replace("count = 10 }", "count = 10 }, { kind = 'guidance', count = 20 }", 1)
    mine = Policy.parse("""
        @id("guidance") permit (principal, action, resource)
        when { resource.kind == Kind::"guidance" };
        @id("like") permit (principal, action, resource) when { context.received > 0 };
    """)
    network = play(moving, {"POLICY": mine})
    assert network.pairs[UK, CA].last_release == {"guidance": 20}
    [deadlock] = report(network).deadlocks
    assert [side.kinds for side in deadlock.sides] == [("evaluation",), ("evaluation",)]
    assert deadlock.since == 1


def test_what_a_third_passes_on_does_not_free_two_that_wait_for_each_other() -> None:
    text = (
        PAIR.replace("POLICY", "like-for-like")
        + """
[[institute]]
id = "jp.aisi.example"
policy = "to-uk"
issues = [{ kind = "guidance", count = 20, tlp = "CLEAR", onward = true }]
"""
    )
    like = Policy.parse(load_preset("like-for-like"))
    only = '@id("uk") permit (principal, action, resource) when { principal.institute == "UK" };'
    policies = {"like-for-like": like, "to-uk": Policy.parse(only.replace("UK", UK))}
    outcome = report(play(text, policies))
    assert result(outcome, CA).relayed == 20
    pairs = [{side.giver for side in deadlock.sides} for deadlock in outcome.deadlocks]
    assert {UK, CA} in pairs


def test_no_way_out_is_proposed_that_its_giver_has_not_got() -> None:
    text = PAIR.replace("POLICY", "like-for-like").replace("evaluation", "model-card", 1)
    [deadlock] = report(play(text)).deadlocks
    assert deadlock.way_out is None
    asked = [side.out_of_reach for side in deadlock.sides]
    assert [(w.giver, w.kind, w.records, w.available) for w in asked if w] == [
        (UK, "evaluation", 1, 0),
        (CA, "model-card", 1, 0),
    ]


# --- the virtual clock ---------------------------------------------------------------------------


def test_equal_seeds_give_equal_outcomes_and_others_do_not() -> None:
    text = PAIR.replace("POLICY", "balanced").replace("count = 10", "per_day = 0.7")
    first, again, other = (report(play(f"seed = {seed}\n{text}")) for seed in (3, 3, 4))
    assert first.to_value() == again.to_value()
    assert first.to_value() != other.to_value()


def test_days_pass_one_by_one_and_records_fall_due_on_theirs() -> None:
    text = PAIR.replace("POLICY", "open").replace("count = 10", "on = [2, 2, 5]")
    scenario = parse_scenario(text)
    network = Network(scenario, load_policies(scenario, scenario_folder()))
    issued = []
    for _ in range(6):
        network.play_day()
        issued.append(sum(line.issued for line in network.lines[UK]))
    assert issued == [0, 2, 2, 2, 3, 3]


def test_what_was_received_counts_until_it_leaves_the_window() -> None:
    text = PAIR.replace("POLICY", "one-for-one").replace("count = 10", "on = [1, 12]", 1)
    policy = Policy.parse("""
        @id("one-for-one")
        permit (principal, action, resource) when { context.received > 0 };
        @id("first")
        permit (principal, action, resource) when { resource.issuer == "uk.aisi.example" };
    """)
    given = [
        report(play(f"window_days = {days}\n{text}", {"one-for-one": policy})).matrix[1][0]
        for days in (365, 4)
    ]
    # within 4 days of each of the two that it was given, ca gives; the rest waits for the next
    assert given[0] == 10 > given[1] >= 6


def test_a_treaty_is_gone_by_from_its_first_day_to_its_last() -> None:
    parties = 'parties = ["ca.aisi.example", "uk.aisi.example"]'
    treaty = f"[[treaty]]\n{parties}\nkinds = ['evaluation']\nfrom = 5\nto = 8\n"
    scenario = parse_scenario(PAIR.replace("POLICY", "treaty") + treaty)
    network = Network(scenario, load_policies(scenario, scenario_folder()))
    given = []
    for _ in range(12):
        network.play_day()
        given.append([report(network).matrix[0][1], report(network).matrix[1][0]])
    # five days make three of ten in twenty; at the end of the eighth there are four
    assert given == [[0, 0]] * 4 + [[3, 3]] * 2 + [[4, 4]] * 6


def test_a_treaty_is_nobody_elses() -> None:
    treaty = "[[treaty]]\nparties = ['uk.aisi.example', 'ca.aisi.example']\n"
    other = '[[institute]]\nid = "jp.aisi.example"\npolicy = "open"\n'
    outcome = report(play(PAIR.replace("POLICY", "treaty") + other + treaty))
    assert outcome.matrix == ((0, 10, 0), (10, 0, 0), (0, 0, 0))


# --- what institutes hold ------------------------------------------------------------------------


def test_what_may_be_passed_on_reaches_whom_its_issuer_starves() -> None:
    relayed = PAIR.replace("POLICY", "like-for-like", 1).replace("POLICY", "open", 1)
    relayed = relayed.replace("count = 10 ", 'count = 10, onward = true, tlp = "CLEAR" ')
    text = f'{relayed}[[institute]]\nid = "it.aisi.example"\npolicy = "open"\n'
    outcome = report(play(text))
    rider = result(outcome, IT)
    assert (rider.received, rider.relayed, rider.missing) == (20, 10, 0)
    kept = report(play(text.replace("onward = true", "onward = false")))
    assert result(kept, IT).received == 10


def test_institutes_that_are_no_peers_exchange_nothing() -> None:
    text = PAIR.replace("POLICY", "open") + "peers = []\n"
    outcome = report(play(text))
    assert outcome.matrix == ((0, 0), (0, 0))
    assert outcome.mean[-1] is None


def test_handling_decides_what_coverage_is_measured_by() -> None:
    listed = 'tlp = "AMBER", releasable_to = ["jp.aisi.example"]'
    text = PAIR.replace("POLICY", "open").replace("count = 10 ", f"count = 10, {listed} ", 1)
    text += '[[institute]]\nid = "jp.aisi.example"\npolicy = "open"\n'
    outcome = report(play(text))
    assert [r.received for r in outcome.results] == [10, 0, 20]
    assert [r.coverage for r in outcome.results] == [1, None, 1]
