"""Scenarios of simulated networks, and how they are played."""

from __future__ import annotations

from comity.policies.evaluator import Policy
from comity.policies.simulation.library import load_policies, scenario_folder
from comity.policies.simulation.network import Network
from comity.policies.simulation.scenario_file import parse_scenario

PAIR = """
days = 20
[[institute]]
id = "uk.aisi.example"
policy = "POLICY"
issues = [{ kind = "evaluation", count = 10 }]
[[institute]]
id = "ca.aisi.example"
policy = "POLICY"
issues = [{ kind = "evaluation", count = 10 }]
"""

ONE_DAY = PAIR.replace("days = 20", "").replace("POLICY", "open").replace("count = 10", "on = [1]")


def play(text: str, policies: dict[str, Policy] | None = None) -> Network:
    """Play a scenario to its end; return the network."""
    scenario = parse_scenario(text)
    network = Network(scenario, policies or load_policies(scenario, scenario_folder()))
    network.play()
    return network
