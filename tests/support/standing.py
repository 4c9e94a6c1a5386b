"""Standing as tests read and check it, and records that count towards it or do not."""

from __future__ import annotations

from typing import Any

from comity.client.drafts.draft import Draft
from comity.node.policy.standing.counters import recompute_standing
from comity.node.policy.standing.rule import load_standing, standing_rows
from comity.node.records.quarantine import Refusal, keep_refusals
from comity.policies.facts import Standing
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.errors import InvalidInput
from comity.record.kind import Kind
from comity.record.record import Record
from tests.support.drafts import card
from tests.support.institutes import Institute

HEADERS_ONLY = """
@id("all") permit (principal, action, resource);
@id("headers") forbid (principal, action, resource) when { resource.section != "" };
"""
BOTH = """
@id("two") permit (principal, action, resource);
@id("ratio") forbid (principal, action, resource)
when { resource.own && resource.section == "" }
unless { context.given < context.received + context.credit };
"""


def seen(one: Institute, peer: Institute) -> Standing:
    """Return a peer's standing, as counted and, checked on the way, as recounted."""
    one.node.release()
    with one.node.store.read() as session:
        counted = {
            row.kind: {name: count for name, count in row if count and name not in ("peer", "kind")}
            for row in standing_rows(session, peer.name)
        }
        recounted = recompute_standing(session, peer.name, one.node.clock())
        assert {kind: counts for kind, counts in counted.items() if counts} == recounted
        return load_standing(session, peer.name)


def thin(name: str) -> Draft:
    """Return a card whose sections say next to nothing."""
    return card(name, sections={"limitations": [{"statement": "Some."}], "risks": [], "uses": {}})


def refuse(one: Institute, peer: Institute, payload: bytes, error: InvalidInput) -> None:
    """Quarantine what a peer sent."""
    refusal = Refusal(Record(Envelope(STATEMENT_TYPE, payload, "key", b"signature")), error)
    with one.node.store.write() as session:
        keep_refusals(session, peer.name, [refusal], one.node.clock())


def received(one: Institute, peer: Institute, kind: Kind = Kind.MODEL_CARD) -> int:
    """Return how many subjects of a kind count as received from a peer."""
    return seen(one, peer).received.get(kind, 0)


def row(one: Institute, peer: Institute) -> Any:
    """Return the counters of model cards with a peer."""
    seen(one, peer)
    with one.node.store.read() as session:
        [found] = [r for r in standing_rows(session, peer.name) if r.kind == Kind.MODEL_CARD]
        return found
