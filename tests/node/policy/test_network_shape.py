"""The real network as a scenario: what the simulation says is what nodes did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from comity.client.drafts.draft import Draft
from comity.node.policy.network_scenario import network_scenario
from comity.node.trust.peers import AgreedTerms
from comity.policies.evaluator import Policy
from comity.policies.preset import load_preset
from comity.policies.simulation.network import Network
from comity.policies.simulation.report import report
from comity.policies.treaty import Treaty
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes

UK, CA = (f"{name}.aisi.example" for name in ("uk", "ca"))
FR, DE = (f"{name}.aisi.example" for name in ("fr", "de"))
DAY = 86_400
ROUNDS = 4
"""As often as two that exchange everything need to settle."""

BRIEF = {"limitations": [{"statement": "Weak.", "severity": "moderate"}]}
RISKS = {"risks": [{"domain": "nist-ai-600-1:cbrn", "scenario": "Uplift.", "severity": "high"}]}


@contextmanager
def pair(
    root: Path, new_database: NewDatabase, own: str, theirs: str
) -> Iterator[tuple[Institute, Institute]]:
    """Yield uk and ca, which follow these policies."""
    with institutes(root, HandClock(), new_database, UK, CA) as [uk, ca]:
        uk.node.set_policy(own)
        ca.node.set_policy(theirs)
        yield uk, ca


def publish(one: Institute, drafts: list[Draft]) -> None:
    one.node.publish_all([one.sign(draft) for draft in drafts])


def exchange(uk: Institute, ca: Institute) -> None:
    for _ in range(ROUNDS):
        for giver, receiver in ((uk, ca), (ca, uk)):
            giver.node.release()
            receiver.pull(giver)


def really_given(giver: Institute, receiver: Institute) -> int:
    return sum(section == "" for _, section in giver.released(receiver))


def simulated(uk: Institute, own: str, theirs: str, *, back: bool = False) -> int:
    """Return how many records uk gives ca in a simulation of what uk's database holds.

    Or, with ``back``, ca gives uk.
    """
    with uk.node.store.read() as session:
        shape = network_scenario(session, UK, "own", "theirs", uk.node.clock())
    network = Network(shape, {"own": Policy.parse(own), "theirs": Policy.parse(theirs)})
    network.play()
    matrix = report(network).matrix
    return matrix[1][0] if back else matrix[0][1]


def test_many_records_about_one_subject_count_once(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    own, theirs = load_preset("balanced"), load_preset("open")
    with pair(tmp_path, new_database, own, theirs) as (uk, ca):
        publish(ca, [card("one-model", title={"en": f"Note {number}"}) for number in range(5)])
        publish(uk, [card(f"model-{number}") for number in range(30)])
        exchange(uk, ca)
        assert really_given(uk, ca) == 22
        assert simulated(uk, own, theirs) == 22


def test_records_without_substance_use_no_standing_up(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    own, theirs = load_preset("balanced"), load_preset("open")
    with pair(tmp_path, new_database, own, theirs) as (uk, ca):
        publish(uk, [card(f"brief-{number}", sections=BRIEF) for number in range(30)])
        exchange(uk, ca)
        assert really_given(uk, ca) == simulated(uk, own, theirs) == 30


def test_what_is_brief_goes_along_until_the_next_is_no_longer_allowed(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    own, theirs = load_preset("balanced"), load_preset("open")
    with pair(tmp_path, new_database, own, theirs) as (uk, ca):
        drafts = []
        for number in range(30):
            drafts.append(card(f"brief-{number}", sections=BRIEF | RISKS))
            drafts.append(card(f"model-{number // 2 * 2}", title={"en": f"Note {number}"}))
            drafts.append(card(f"model-{number}-more"))
        publish(uk, drafts)
        exchange(uk, ca)
        assert 20 < really_given(uk, ca) == simulated(uk, own, theirs) < 90


def test_what_is_under_embargo_waits_for_its_day(tmp_path: Path, new_database: NewDatabase) -> None:
    policy = load_preset("open")
    with pair(tmp_path, new_database, policy, policy) as (uk, ca):
        clock = uk.node.clock
        assert isinstance(clock, HandClock)
        for days, count in ((300, 5), (2, 3)):
            handling = {"embargo": clock.in_seconds(days * DAY)}
            publish(uk, [card(f"{days}-{n}", handling=handling) for n in range(count)])
        publish(uk, [card("now")])
        exchange(uk, ca)
        assert really_given(uk, ca) == simulated(uk, policy, policy) == 1
        clock.turn(3 * DAY)
        exchange(uk, ca)
        assert really_given(uk, ca) == simulated(uk, policy, policy) == 4


def test_sections_under_embargo_use_standing_up_with_their_header(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    own, theirs = load_preset("balanced"), load_preset("open")
    with pair(tmp_path, new_database, own, theirs) as (uk, ca):
        clock = uk.node.clock
        assert isinstance(clock, HandClock)
        later = {"embargo": clock.in_seconds(300 * DAY)}
        handling = {"limitations": later, "risks": later}
        publish(uk, [card(f"model-{n}", section_handling=handling) for n in range(30)])
        exchange(uk, ca)
        assert really_given(uk, ca) == simulated(uk, own, theirs) == 20


def test_treaties_hold_for_both_sides_while_they_are_in_force(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    policy = load_preset("treaty")
    with pair(tmp_path, new_database, policy, policy) as (uk, ca):
        clock = uk.node.clock
        assert isinstance(clock, HandClock)
        for one, party in ((uk, CA), (ca, UK)):
            start = clock.time - timedelta(days=1)
            one.node.add_treaty(Treaty("both", party, frozenset(), frozenset(), start))
        publish(uk, [card(f"own-{number}") for number in range(4)])
        publish(ca, [card(f"theirs-{number}") for number in range(3)])
        exchange(uk, ca)
        assert simulated(uk, policy, policy) == really_given(uk, ca) == 4
        assert simulated(uk, policy, policy, back=True) == really_given(ca, uk) == 3
        clock.turn(DAY)
        uk.node.end_treaty("both")
        clock.turn(DAY)
        publish(uk, [card("after")])
        exchange(uk, ca)
        assert simulated(uk, policy, policy) == really_given(uk, ca) == 4


def test_what_a_peer_has_and_did_not_give_is_not_taken_for_nothing(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    policy = load_preset("like-for-like")
    with pair(tmp_path, new_database, policy, policy) as (uk, ca):
        for one in (uk, ca):
            publish(one, [card(f"{one.name}-{number}") for number in range(3)])
        exchange(uk, ca)
        with uk.node.store.read() as session:
            shape = network_scenario(session, UK, "both", "both", uk.node.clock())
    network = Network(shape, {"both": Policy.parse(policy)})
    network.play()
    [withheld] = report(network, {UK}).withheld
    assert (withheld.giver, withheld.records, withheld.out_of_reach) == (UK, 3, None)
    way = withheld.way_out
    assert way is not None
    assert (way.giver, way.records, way.releases, way.available) == (CA, 1, 3, None)


def test_what_a_peer_gave_for_a_purpose_is_given_in_the_simulation(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    policy = load_preset("open")
    with pair(tmp_path, new_database, policy, policy) as (uk, ca):
        ca.node.change_peer(UK, None, AgreedTerms(purposes=["safety-testing"]))
        publish(ca, [card(handling={"purposes": ["safety-testing"]})])
        exchange(uk, ca)
        assert really_given(ca, uk) == simulated(uk, policy, policy, back=True) == 1


NOT_WHAT_FR_GETS = """
@id("members") permit (principal, action, resource) when { principal.status == Status::"member" };
@id("not-what-fr-gets") forbid (principal, action, resource)
when { resource.releasableTo.contains("fr.aisi.example") };
"""


@pytest.mark.parametrize("order", [(FR, DE), (DE, FR)])
def test_an_institute_that_is_no_peer_counts_where_a_policy_names_it(
    order: tuple[str, str], tmp_path: Path, new_database: NewDatabase
) -> None:
    with pair(tmp_path, new_database, NOT_WHAT_FR_GETS, load_preset("open")) as (uk, ca):
        for other in order:
            listed = sorted([CA, other])
            drafts = [card(f"{other}-{n}", tlp="AMBER", releasable_to=listed) for n in range(3)]
            publish(uk, drafts)
        exchange(uk, ca)
        assert really_given(uk, ca) == 3
        assert simulated(uk, NOT_WHAT_FR_GETS, load_preset("open")) == 3
