"""Remembered decisions: shared where a policy cannot tell two questions apart, and only there."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.policies.evaluator import Policy
from comity.policies.facts import PartFacts, PeerFacts, PeerStatus, Standing
from comity.policies.simulation.remembered_decisions import RememberedDecisions
from comity.policies.simulation.standing_reads import StandingReads
from comity.record.handling import Tlp
from comity.record.kind import Kind

UK, CA, JP, FR, DE = (f"{name}.aisi.example" for name in ("uk", "ca", "jp", "fr", "de"))


NOTHING = Standing()


def peer(
    name: str, groups: frozenset[str] = frozenset(), standing: Standing = NOTHING
) -> PeerFacts:
    return PeerFacts(name, PeerStatus.MEMBER, groups, standing=standing)


def part(*listed: str, issuer: str = UK) -> PartFacts:
    return PartFacts(
        kind=Kind.EVALUATION,
        issuer=issuer,
        section="",
        tlp=Tlp.AMBER if listed else Tlp.GREEN,
        releasable_to=frozenset(listed) if listed else None,
        onward=True,
        purposes=frozenset(),
        tags=frozenset(),
        domains=frozenset(),
        severity=0,
        own=issuer == UK,
    )


NAMES = """
@id("all") permit (principal, action, resource);
@id("not-what-fr-gets") forbid (principal, action, resource)
when { resource.releasableTo.contains("fr.aisi.example") };
@id("not-of-jp") forbid (principal, action, resource)
when { resource.issuer == "jp.aisi.example" || principal.institute like "x*.example" };
@id("not-those-in-a-group-of-a-listed-name") forbid (principal, action, resource)
when { resource.releasableTo.containsAny(principal.groups) };
"""


def test_whom_a_list_names_matters_also_where_that_is_nobody_of_the_network() -> None:
    """Whatever the order in which a policy is asked, each gets what the evaluator says."""
    policy = Policy.parse(NAMES)
    peers = [peer(name) for name in (CA, JP, DE, "x1.example", "y1.example")]
    peers += [peer(CA, frozenset({DE}))]
    parts = [part(CA, FR), part(CA, DE), part(CA), part(), part(issuer=JP), part(CA, issuer=FR)]
    questions = list(product(peers, parts))
    for order in (questions, questions[::-1]):
        decisions = RememberedDecisions(policy)
        for who, what in order:
            remembered = decisions.decision(decisions.case(who, what), NOTHING)
            expected = policy.decide(who, what)
            assert (remembered.allowed, remembered.rules) == (expected.allowed, expected.rules)


def test_a_rule_that_names_one_institute_leaves_all_others_alike() -> None:
    decisions = RememberedDecisions(Policy.parse(NAMES))
    assert decisions.case(peer(CA), part()) == decisions.case(peer(DE), part())
    assert decisions.case(peer(CA), part(CA, DE)) == decisions.case(peer(DE), part(CA, DE))
    alike = {decisions.case(peer(name), part()) for name in (CA, DE, JP, FR, "x1.example")}
    assert len(alike) == 4


READ = """
@id("ratio") permit (principal, action, resource)
when { context.given * 8 < (context.received + context.credit) * 10 + 16 };
@id("other") permit (principal, action, resource)
when { principal.standing.received["guidance"] - 2 >= context.givenEver };
@id("whole") forbid (principal, action, resource) when { ELSEWHERE };
"""
SMALL = st.dictionaries(st.sampled_from([Kind.EVALUATION, Kind.GUIDANCE]), st.integers(0, 6))


@pytest.mark.parametrize(
    "elsewhere",
    [
        'resource.section == "risks"',
        "[1, 3].contains(context.received)",
        "(if context.received > 2 then context else context).given == 2",
        "context.received * 4000000000000000000 > 5",
        "-context.given < -3",
    ],
)
@given(st.lists(st.builds(Standing, SMALL, SMALL, SMALL), min_size=2, max_size=8))
def test_standings_that_read_alike_are_judged_alike(
    elsewhere: str, standings: list[Standing]
) -> None:
    policy = Policy.parse(READ.replace("ELSEWHERE", elsewhere))
    reads = StandingReads(policy)
    judged: dict[Hashable, tuple[str, ...]] = {}
    for standing in standings:
        view = reads.view(standing, Kind.EVALUATION)
        decision = policy.decide(peer(CA, standing=standing), part())
        assert judged.setdefault(view, decision.rules) == decision.rules


def test_counts_that_make_no_difference_to_any_comparison_are_not_told_apart() -> None:
    reads = StandingReads(Policy.parse(READ.replace("ELSEWHERE", "false")))
    few, many = (Standing(received={Kind.EVALUATION: n}) for n in (3, 4000))
    assert reads.view(few, Kind.EVALUATION) == reads.view(many, Kind.EVALUATION)
    assert reads.view(few, Kind.EVALUATION, 6) != reads.view(many, Kind.EVALUATION, 6)
