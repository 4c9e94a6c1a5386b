"""Withdrawal: what its issuer has withdrawn counts no more, and goes to nobody any more."""

from __future__ import annotations

import pytest

from comity.client.drafts.draft import Draft
from comity.node.database.tables import RecordRow
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from comity.record.errors import MalformedStatement
from comity.record.kind import Kind
from comity.record.record import Record
from tests.support.drafts import card
from tests.support.institutes import Institute
from tests.support.releases import explained
from tests.support.standing import HEADERS_ONLY, seen

UK, JP = "uk.aisi.example", "jp.aisi.example"
OPEN = load_preset("open")
CARD = Kind.MODEL_CARD


def notice(record: Record, relation: str = "withdraws") -> Draft:
    named = [{"record": record.record_id, "relation": relation}]
    return card("notice", kind="withdrawal", references=named, sections={})


def withdrawn(one: Institute) -> list[str]:
    return [row.record_id for row in one.rows(RecordRow, withdrawn=True)]


def test_a_withdrawn_record_counts_no_more_on_either_side(trio: list[Institute]) -> None:
    uk, ca, _ = trio
    record = uk.publish(card("one"))
    uk.publish(card("two"))
    ca.pull(uk)
    uk.publish(notice(record))
    ca.pull(uk)
    assert seen(uk, ca).given == {CARD: 1}
    assert seen(ca, uk).received[CARD] == 1
    assert withdrawn(uk) == withdrawn(ca) == [record.record_id]


def test_a_withdrawn_record_is_given_to_nobody_any_more(trio: list[Institute]) -> None:
    uk, ca, jp = trio
    uk.node.set_peer_status(JP, PeerStatus.SUSPENDED)
    record = uk.publish(card("one"))
    uk.publish(notice(record))
    uk.node.set_peer_status(JP, PeerStatus.MEMBER)
    assert record.record_id in {record_id for record_id, _ in uk.released(ca)}
    assert record.record_id not in {record_id for record_id, _ in uk.released(jp)}
    assert "it has been withdrawn" in explained(uk, jp, record)[""].message


def test_a_relay_passes_a_withdrawn_record_on_no_more(trio: list[Institute]) -> None:
    uk, ca, jp = trio
    record = uk.publish(card("one", handling={"onward": True}))
    ca.node.set_peer_status(JP, PeerStatus.SUSPENDED)
    ca.pull(uk)
    uk.publish(notice(record))
    ca.pull(uk)
    ca.node.set_peer_status(JP, PeerStatus.MEMBER)
    assert ca.released(jp) == []


def test_only_the_issuer_withdraws_its_records(trio: list[Institute]) -> None:
    uk, ca, _ = trio
    record = uk.publish(card("one"))
    ca.publish(notice(record))
    with pytest.raises(MalformedStatement, match="expected a record with the relation withdraws"):
        uk.publish(notice(record, relation="refines"))
    uk.publish(card("other", references=[{"record": record.record_id, "relation": "withdraws"}]))
    uk.pull(ca)
    assert withdrawn(uk) == []


def test_a_notice_may_come_before_what_it_withdraws(trio: list[Institute]) -> None:
    uk, ca, _ = trio
    uk.node.set_policy(
        OPEN + '@id("late") forbid (principal, action, resource) when { resource.kind == '
        'Kind::"model-card" && resource.section == "" };'
    )
    record = uk.publish(card("one"))
    first = uk.sign(notice(record))
    ring = ca.node.keyring()
    for each in (first, record):
        with ca.node.store.write() as session:
            ca.node.intake.admit(session, [ca.node.examiner.examine(each, UK, ring)])
    assert withdrawn(ca) == [record.record_id]
    assert seen(ca, uk).received.get(CARD, 0) == 0


def test_sections_that_arrive_after_the_withdrawal_are_withdrawn_too(
    trio: list[Institute],
) -> None:
    uk, ca, jp = trio
    uk.node.set_policy(HEADERS_ONLY)
    record = uk.publish(card("one", handling={"onward": True}))
    ca.node.set_peer_status(JP, PeerStatus.SUSPENDED)
    ca.pull(uk)
    uk.node.set_policy(OPEN)
    late = uk.offer(ca)
    assert late is not None
    with ca.node.store.write() as session:
        given = [ca.node.examiner.examine(uk.sign(notice(record)), UK, ca.node.keyring())]
        ca.node.intake.admit(session, given)
    ca.node.inbox.take(UK, late)
    ca.node.set_peer_status(JP, PeerStatus.MEMBER)
    assert {name for _, name in ca.held()} >= {"", "limitations", "risks"}
    assert [name for record_id, name in ca.released(jp) if record_id == record.record_id] == []
    assert seen(ca, uk).received.get(CARD, 0) == 0
