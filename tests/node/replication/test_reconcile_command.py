"""The command that compares ledgers over the wire, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

from comity.node.database.tables import ReceiptRow
from comity.record.envelope import RECEIPT_TYPE, Envelope
from tests.support.drafts import card
from tests.support.network import command, network, run, until

UK, CA = "uk.aisi.example", "ca.aisi.example"


def test_reconcile_over_the_wire_says_by_its_exit_code_whether_ledgers_agree(
    tmp_path: Path,
) -> None:
    evidence = tmp_path / "evidence.json"

    async def test() -> None:
        async with network(tmp_path, UK, CA) as [uk, ca]:
            uk.node.publish(uk.sign(card()))
            ca.node.publish(ca.sign(card()))
            await until(lambda: uk.rows(ReceiptRow, ours=False), "receipt of ca")
            await until(lambda: ca.rows(ReceiptRow, ours=False), "receipt of uk")
            code, out, _ = await command(uk, "reconcile", CA, "--output", str(evidence))
            assert (code, out.splitlines()[-1]) == (0, "Both ledgers agree.")
            with ca.node.store.write() as session:
                [copy] = ca.rows(ReceiptRow, ours=True)
                session.delete(copy)
            code, out, _ = await command(uk, "reconcile", CA, "--json")
            [difference] = json.loads(out)["accounts"][0]["differences"]
            assert (code, difference["finding"]) == (1, "NOT_KEPT")
        address = ca.node.home.settings.address
        where = f"{CA} at {address} cannot be reached: "
        for words in (("reconcile", CA), ("standing", CA, "--ask")):
            code, out, err = await command(uk, *words)
            assert (code, out) == (2, "")
            told, hint = " ".join(err.split()).split(" hint: ")
            assert told.startswith(f"error: peer: {where}")
            assert told != f"error: peer: {where}"
            assert f"comity-node peers show {CA}" in hint
            code, out, err = await command(uk, *words, "--json")
            assert (code, out) == (2, "")
            assert json.loads(err)["error"]["field"] == "peer"

    run(test())
    kept = json.loads(evidence.read_text())
    assert kept["agreement"] is True
    [receipt] = kept["accounts"][0]["receipts"]
    assert Envelope.from_value(receipt).payload_type == RECEIPT_TYPE
