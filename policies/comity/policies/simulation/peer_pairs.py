"""Pairs of peers in a scenario, each with the terms that the giver has set for the receiver."""

from __future__ import annotations

from functools import cache

from comity.policies.evaluator import Policy
from comity.policies.facts import PeerFacts
from comity.policies.simulation.members import Institute
from comity.policies.simulation.pair import Pair
from comity.policies.simulation.remembered_decisions import RememberedDecisions
from comity.policies.simulation.scenario import Scenario
from comity.policies.simulation.treaty_links import LinkedDecisions

# the baseline takes part in every decision: beside this policy it alone decides
_HANDLING_ALONE = '@id("all") permit (principal, action, resource);'


def peer_pairs(scenario: Scenario, linked: LinkedDecisions) -> dict[tuple[str, str], Pair]:
    """Return the pairs of peers by giver and receiver, with the decisions of the first day."""
    handling = RememberedDecisions(_handling_alone())
    weights = dict(scenario.weights)
    pairs: dict[tuple[str, str], Pair] = {}
    institutes = scenario.institutes()

    for by in institutes:
        for of in institutes:
            if _are_peers(by, of):
                facts = _facts(scenario, by, of)
                decisions = linked.between(by.policy, by.id, of.id, 1)
                pairs[by.id, of.id] = Pair(by.id, facts, decisions, handling, weights)
    return pairs


@cache
def _handling_alone() -> Policy:
    return Policy.parse(_HANDLING_ALONE)


def _are_peers(one: Institute, other: Institute) -> bool:
    named = (one.peers is None or other.id in one.peers) and (
        other.peers is None or one.id in other.peers
    )
    return one.id != other.id and named


def _facts(scenario: Scenario, by: Institute, of: Institute) -> PeerFacts:
    terms = scenario.terms(by.id, of)
    return PeerFacts(of.id, terms.status, terms.groups, terms.clearances, terms.purposes)
