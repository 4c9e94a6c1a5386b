"""Replication between real nodes: what is allowed arrives, once, and is signed for."""

from __future__ import annotations

from pathlib import Path

from comity.node.tables import Part, PeerRow, Quarantine, ReceiptRow, RecordRow
from tests.network import card, network, run, until


def test_a_published_card_reaches_a_peer_and_is_receipted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, "uk.aisi.example", "ca.aisi.example") as (uk, ca):
            record = uk.sign(card())
            uk.node.publish(record)
            await until(lambda: ca.rows(RecordRow, record_id=record.record_id), "the card at ca")
            [row] = ca.rows(RecordRow)
            assert row.payload == record.envelope.payload
            assert len(ca.rows(Part)) == 3
            await until(
                lambda: uk.rows(PeerRow, institute="ca.aisi.example", receipted=3), "the receipt"
            )
            assert [r.ours for r in uk.rows(ReceiptRow)] == [False]
            assert ca.rows(Quarantine) == []

    run(scenario())
