"""Quarantine: what is refused is kept apart, bounded, and taken once it becomes acceptable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlmodel import select

from comity.node.database.tables import REFUSED, WAITING, PartRow, QuarantineRow, RecordRow
from comity.node.node import Node
from comity.node.records import quarantine
from comity.node.replication.batches import Batch
from comity.node.replication.outbox import next_batch
from comity.node.server.services.audit_pages import list_quarantine
from comity.node.server.status import summarise_node
from comity.policies.preset import load_preset
from comity.record.record import Record
from comity.v1 import audit_service_pb2
from tests.support.drafts import card
from tests.support.network import make_home


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node, Node]]:
    """Return uk, ca and jp: ca is everybody's peer, uk and jp do not know each other."""
    with ExitStack() as stack:
        uk, ca, jp = (
            stack.enter_context(closing(Node(make_home(tmp_path, f"{name}.aisi.example"))))
            for name in ("uk", "ca", "jp")
        )
        for one, other in ((uk, ca), (ca, uk), (ca, jp), (jp, ca)):
            one.add_peer(other.bundle)
        for node in (uk, ca, jp):
            node.set_policy(load_preset("open"))
        yield uk, ca, jp


def pull(sender: Node, receiver: Node) -> None:
    """Take the one batch that waits, as the stream would."""
    with sender.store.read() as session:
        found = next_batch(session, receiver.institute, 0)
    assert found is not None
    receiver.inbox.take(sender.institute, found[0])
    receiver.release()


def held(node: Node) -> list[str]:
    with node.store.read() as session:
        return list(session.exec(select(RecordRow.record_id)))


def counted(node: Node) -> tuple[int, int]:
    """Return how many records an operator is told were refused, and how many wait."""
    with node.store.read() as session:
        peers = summarise_node(session, node.institute).peers
    counts = [sum(sum(p.not_taken[s].values()) for p in peers) for s in (REFUSED, WAITING)]
    return counts[0], counts[1]


def quarantined(node: Node) -> list[audit_service_pb2.QuarantinedRecord]:
    """Return what an auditor is shown."""
    request = audit_service_pb2.ListQuarantineRequest()
    with node.store.read() as session:
        return list(list_quarantine(session, request, node.clock()).records)


def refused(node: Node) -> list[QuarantineRow]:
    with node.store.read() as session:
        return list(session.exec(select(QuarantineRow)))


def test_a_relayed_record_of_an_unknown_institute_is_taken_once_that_institute_is_pinned(
    nodes: tuple[Node, Node, Node],
) -> None:
    uk, ca, jp = nodes
    record = card(handling={"onward": True}).sign(uk.home.node_id, uk.key)
    uk.publish(record)
    pull(uk, ca)
    pull(ca, jp)
    assert [(row.record_id, row.reason) for row in refused(jp)] == [
        (record.record_id, "UNKNOWN_KEY")
    ]
    assert held(jp) == []
    assert counted(jp) == (0, 1)
    [listed] = quarantined(jp)
    assert (listed.record_id, listed.waiting) == (record.record_id, True)
    jp.add_peer(uk.bundle)
    assert held(jp) == [record.record_id]
    assert refused(jp) == []
    assert counted(jp) == (0, 0)


def test_what_still_waits_costs_no_write_when_another_is_pinned(
    nodes: tuple[Node, Node, Node],
) -> None:
    uk, ca, jp = nodes
    uk.publish(card(handling={"onward": True}).sign(uk.home.node_id, uk.key))
    pull(uk, ca)
    pull(ca, jp)
    commits = jp.store.commits()
    assert jp.waiting.retry() == 0
    assert counted(jp) == (0, 1)
    assert jp.store.commits() == commits


def test_a_flood_of_bad_records_keeps_only_the_newest(
    nodes: tuple[Node, Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_ENTRIES", 5)
    uk, ca, _ = nodes
    bad = []
    for number in range(12):
        good = card(f"model-{number}").sign(uk.home.node_id, uk.key)
        bad.append(Record(good.envelope, (*good.disclosures, b"AAAA")))
    taken = ca.inbox.take(uk.institute, Batch(tuple(bad), previous_cursor="", cursor="x"))
    assert (taken.new, taken.not_stored) == (0, 12)
    assert len(refused(ca)) == 5
    assert counted(ca) == (5, 0)
    assert held(ca) == []


def test_sections_that_follow_while_a_key_is_unknown_wait_with_the_rest(
    nodes: tuple[Node, Node, Node],
) -> None:
    uk, ca, jp = nodes
    uk.publish(card(handling={"onward": True}).sign(uk.home.node_id, uk.key))
    late = '@id("late") forbid (principal, action, resource) when { resource.section == "risks" };'
    ca.set_policy(load_preset("open") + late)
    pull(uk, ca)
    pull(ca, jp)
    ca.set_policy(load_preset("open"))
    with ca.store.read() as session:
        found = next_batch(session, jp.institute, 2)
    assert found is not None
    jp.inbox.take(ca.institute, found[0])
    jp.add_peer(uk.bundle)
    with jp.store.read() as session:
        parts = set(session.exec(select(PartRow.name)))
    assert parts == {"", "limitations", "risks"}
