"""Handling classes: shared by parts that policy cannot tell apart, and bounded for each issuer."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlmodel import select

from comity.node.database.tables import HandlingClassRow, QuarantineRow, RecordRow
from comity.node.node import Node
from comity.node.policy import handling_classes
from comity.node.replication.outbox import next_batch
from comity.policies.preset import load_preset
from comity.record.errors import LimitExceeded
from tests.support.drafts import card
from tests.support.network import make_home


def test_records_that_policy_cannot_tell_apart_share_their_classes(tmp_path: Path) -> None:
    with closing(Node(make_home(tmp_path, "uk.aisi.example"))) as uk:
        for number in range(5):
            uk.publish(card(f"model-{number}").sign(uk.home.node_id, uk.key))
        with uk.store.read() as session:
            assert len(session.exec(select(HandlingClassRow)).all()) == 3


def test_an_issuer_with_too_many_classes_is_refused_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        closing(Node(make_home(tmp_path, "uk.aisi.example"))) as uk,
        closing(Node(make_home(tmp_path, "ca.aisi.example"))) as ca,
    ):
        uk.add_peer(ca.bundle)
        ca.add_peer(uk.bundle)
        uk.set_policy(load_preset("open"))
        records = [
            card(f"model-{number}", tags=[f"tag-{number}"]).sign(uk.home.node_id, uk.key)
            for number in range(4)
        ]
        uk.publish_all(records)
        monkeypatch.setattr(handling_classes, "MAX_CLASSES", 6)
        with uk.store.read() as session:
            found = next_batch(session, ca.institute, 0)
        assert found is not None
        taken = ca.inbox.take(uk.institute, found[0])
        assert (taken.new, taken.not_stored) == (2, 2)
        with ca.store.read() as session:
            assert len(session.exec(select(RecordRow)).all()) == 2
            reasons = session.exec(select(QuarantineRow.reason)).all()
        assert reasons == ["LIMIT_EXCEEDED"] * 2
        own = [card(tags=[f"own-{number}"]).sign(ca.home.node_id, ca.key) for number in range(3)]
        ca.publish_all(own[:2])
        with pytest.raises(LimitExceeded, match="MAX_CLASSES"):
            ca.publish(own[2])
        again = card(tags=["own-0"]).sign(ca.home.node_id, ca.key)
        assert not ca.publish(again).already_stored
