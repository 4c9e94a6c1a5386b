"""Policies, treaties and records that tests of release share, and what was released."""

from __future__ import annotations

from comity.node.database.tables import RecordRow, ReleaseRow, RulingRow
from comity.node.policy.versions import policy_at, with_treaties
from comity.node.release.explanation import PartExplanation, explain_record
from comity.node.release.preview import ChangedParts, Effect, preview_peer
from comity.node.trust.peers import pinned_peers
from comity.policies.evaluator import Policy
from comity.policies.preset import load_preset
from comity.policies.treaty import Treaty
from comity.record.record import Record
from tests.support.institutes import HandClock, Institute

UK, CA, JP = "uk.aisi.example", "ca.aisi.example", "jp.aisi.example"

OPEN, BALANCED = load_preset("open"), load_preset("balanced")
ALLOWANCE_OF_TWO = BALANCED.replace("+ 160", "+ 16")
"""The preset *balanced*, with an allowance of 2 records instead of 20."""

CARDS_ONLY = """
@id("cards")
permit (principal, action, resource) when { resource.kind == Kind::"model-card" };
"""

NO_RISKS = """
@id("all")
permit (principal, action, resource);
@id("no-risks")
forbid (principal, action, resource) when { resource.section == "risks" };
"""

WHOLE = {"", "limitations", "risks"}


def sections(one: Institute, peer: Institute, record_id: str) -> set[str]:
    """Return the parts of a record that were released to a peer; the header is empty."""
    return {name for i, name in one.released(peer) if i == record_id}


def headers(one: Institute, peer: Institute) -> int:
    """Count the records that were released to a peer."""
    return sum(name == "" for _, name in one.released(peer))


def versions(one: Institute, peer: Institute) -> list[int]:
    """Return the version of the policy that each release to a peer names, in order."""
    rulings = {row.ruling_id: row.policy_version for row in one.rows(RulingRow)}
    found = sorted(one.rows(ReleaseRow, peer=peer.name), key=lambda row: row.offer_number)
    return [rulings[row.ruling_id] for row in found]


def preview(one: Institute, text: str) -> dict[str, list[ChangedParts]]:
    """Return by peer what a policy would change, were it in force now."""
    with one.node.store.read() as session:
        now = one.node.clock()
        policy, other = policy_at(session, now), with_treaties(session, Policy.parse(text), now)
        return {
            row.institute: preview_peer(session, row, policy, other, now)
            for row in pinned_peers(session)
        }


def counted(found: list[ChangedParts], effect: Effect) -> tuple[int, int, int]:
    """Return parts, records and later parts of an effect, over all kinds and rules."""
    some = [one for one in found if one.effect is effect]
    return (
        sum(one.parts for one in some),
        sum(one.records for one in some),
        sum(one.later for one in some),
    )


def release_all(one: Institute) -> None:
    """Release until nothing is left to release."""
    while one.node.release():
        pass


def explained(one: Institute, peer: Institute, record: Record) -> dict[str, PartExplanation]:
    """Return by section how a record's release to a peer is explained."""
    [row] = one.rows(RecordRow, record_id=record.record_id)
    with one.node.store.read() as session:
        found = explain_record(session, peer.name, row, one.node.clock())
    return {part.name: part for part in found}


def treaty(
    clock: HandClock,
    treaty_id: str = "uk-ca",
    party: str = CA,
    *,
    start: float = 0,
    end: float | None = None,
    **covers: list[str],
) -> Treaty:
    """Return a treaty that is in force between two times, in seconds from now."""
    term = {"start": clock.in_seconds(start), "end": end and clock.in_seconds(end)}
    scope = {"kinds": covers.get("kinds", []), "sections": covers.get("sections", [])}
    return Treaty.parse({"treatyId": treaty_id, "party": party, **scope, **term})
