"""What a simulation says that institutes end up with is what real nodes do."""

from __future__ import annotations

from pathlib import Path

from comity.client.drafts.draft import Draft
from comity.node.database.tables import RecordRow
from comity.policies.evaluator import Policy
from comity.policies.preset import load_preset
from comity.policies.simulation.network import Network
from tests.support.databases import sqlite_databases
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.scenarios import play

UK, CA, JP, IT = (f"{name}.aisi.example" for name in ("uk", "ca", "jp", "it"))

MIXED = """
days = 1
[[institute]]
id = "uk.aisi.example"
policy = "like-for-like"
issues = [
    { kind = "model-card", count = 5, sections = ["limitations", "risks"], onward = true },
]
[[institute]]
id = "ca.aisi.example"
policy = "three-more"
issues = [
    { kind = "model-card", count = 12, sections = [
        "limitations",
        { name = "risks", tlp = "AMBER", releasable_to = ["uk.aisi.example"] },
    ] },
    { kind = "model-card", count = 2, tlp = "CLEAR", sections = ["limitations", "risks"] },
]
[[institute]]
id = "jp.aisi.example"
policy = "open"
issues = [
    { kind = "model-card", count = 1, sections = ["limitations", "risks"] },
]
"""

THREE_MORE = """
@id("members") permit (principal, action, resource) when { principal.status == Status::"member" };
@id("three-more") forbid (principal, action, resource)
when { resource.own && resource.section == "" } unless { context.given < context.received + 3 };
@id("risks-later") forbid (principal, action, resource)
when { resource.section == "risks" && principal.institute == "uk.aisi.example" }
unless { context.received >= 5 };
@id("no-risks-to-jp") forbid (principal, action, resource)
when { resource.section == "risks" && principal.institute == "jp.aisi.example" };
"""


def test_real_nodes_end_up_holding_what_the_simulation_says(tmp_path: Path) -> None:
    policies = {"three-more": Policy.parse(THREE_MORE)} | {
        name: Policy.parse(load_preset(name)) for name in ("open", "like-for-like")
    }
    network = play(MIXED, policies)
    simulated = {name: _holdings(network, name) for name in (UK, CA, JP)}
    new = sqlite_databases(tmp_path)
    with institutes(tmp_path, HandClock(), new, UK, CA, JP) as nodes:
        for node in nodes:
            node.node.set_policy(policies[network.institutes[node.name].policy].text)
        for node in nodes:
            node.node.publish_all([node.sign(draft) for draft in _drafts(network, node.name)])
        while sum(one.pull(other) for one in nodes for other in nodes if one is not other):
            for node in nodes:
                node.node.release()
        real = {node.name: _held_by(node) for node in nodes}
    assert real == simulated
    # of ca's 14 cards, as many as its balance lets go, and their risks though these waited
    assert real[UK][CA, ""] == real[UK][CA, "risks"] == 8
    assert 0 < len(real[JP]) < sum(map(len, (real[UK], real[CA])))


def _drafts(network: Network, name: str) -> list[Draft]:
    """Return the drafts of an institute's records, each about a subject of its own."""
    drafts = []
    for position, issues in enumerate(network.institutes[name].issues):
        own = {
            s.name: {"tlp": s.tlp, "releasableTo": list(s.releasable_to)}
            for s in issues.sections
            if s.releasable_to is not None
        }
        drafts += [
            card(
                f"{name}-{position}-{number}",
                tlp=issues.tlp,
                section_handling=own,
                handling={"onward": issues.onward},
            )
            for number in range(issues.count or 0)
        ]
    return drafts


def _holdings(network: Network, name: str) -> dict[tuple[str, str], int]:
    """Return how many of each part an institute holds, by issuer, label and section."""
    counts: dict[tuple[str, str], int] = {}
    for line in network.all_lines():
        held = network.held[name].get(line.number, [0] * len(line.parts))
        if line.issuer == name:
            held = [line.issued] * len(line.parts)
        for part, count in zip(line.parts, held, strict=True):
            key = (line.issuer, part.section)
            counts[key] = counts.get(key, 0) + count
    return {key: count for key, count in counts.items() if count}


def _held_by(node: Institute) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    issuers = {row.record_id: row.issuer for row in node.rows(RecordRow)}
    for record_id, section in node.held():
        key = (issuers[record_id], section)
        counts[key] = counts.get(key, 0) + 1
    return counts
