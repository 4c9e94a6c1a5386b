"""Records of a key that was revoked since, as an analyst sees them at a node that holds them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from comity.client import connect
from comity.client.commands.app import app
from comity.node.database.tables import RecordRow
from comity.node.home.key_files import KeyUse
from comity.policies.facts import PeerStatus
from comity.record.record import Record
from comity.record.spiffe import Role
from tests.support.command_line import runner
from tests.support.drafts import card
from tests.support.network import Running, network, run, until
from tests.support.root_signers import RootSigners, held

UK, CA = "uk.aisi.example", "ca.aisi.example"


@asynccontextmanager
async def revoked(root: Path) -> AsyncIterator[tuple[Running, Running, Record, Record]]:
    """Yield uk, ca, and two records of uk that ca holds; uk's key is revoked from the second."""
    async with network(root, UK, CA) as (uk, ca):
        root_signers, stolen = RootSigners(), uk.node.key.key.keyid
        ca.node.add_peer(await asyncio.to_thread(root_signers.found, uk.node))
        older, forged = uk.sign(card("older")), uk.sign(card("forged"))
        published = await asyncio.to_thread(uk.node.publish_all, [older, forged])
        await until(lambda: len(ca.rows(RecordRow)) == 2, "the records at ca")
        await asyncio.to_thread(root_signers.rotate, uk.node, KeyUse.RECORD)
        index = published[1].log_index
        await asyncio.to_thread(root_signers.revoke, uk.node, KeyUse.RECORD, stolen, index)
        await until(lambda: held(ca, UK) == 3, "the newest root at ca")
        yield uk, ca, older, forged


def test_what_a_stolen_key_signed_is_told_from_what_is_older(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with revoked(tmp_path) as (uk, ca, older, forged):
            for one in (uk, ca):
                pin = one.node.own.root or one.node.bundle
                async with connect(one.node.home.grant(Role.ANALYST, "ada", pin)) as node:
                    found = {r.record_id: r.problem async for r in node.search()}
                    assert found[older.record_id] == ""
                    assert "expected a record that was logged before" in found[forged.record_id]

    run(scenario())


def test_without_its_issuer_a_record_of_a_revoked_key_is_not_trusted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with revoked(tmp_path) as (_, ca, older, _forged):
            await asyncio.to_thread(ca.node.set_peer_status, UK, PeerStatus.REMOVED)
            async with connect(ca.node.home.grant(Role.ANALYST, "ada")) as node:
                found = await node.get(older.record_id)
                assert "is older cannot be shown" in found.problem

    run(scenario())


def test_commands_warn_of_a_stolen_keys_records_and_export_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    comity = runner(app, monkeypatch, capsys)

    async def scenario() -> None:
        async with revoked(tmp_path) as (_, ca, older, forged):
            ca.node.home.grant(Role.ANALYST, "ada").save(tmp_path / "ada.json")
            ada = ("--profile", str(tmp_path / "ada.json"))
            searched = await asyncio.to_thread(comity, "search", *ada)
            assert f"{forged.record_id[:12]}: not trusted: " in searched.err
            assert older.record_id[:12] not in searched.err
            shown = await asyncio.to_thread(comity, "show", forged.record_id, *ada)
            assert (shown.code, "not trusted: " in shown.out) == (1, True)
            out = ("--output", str(tmp_path / "exported"))
            refused = await asyncio.to_thread(comity, "export", forged.record_id, *out, *ada)
            assert (refused.code, (tmp_path / "exported").exists()) == (1, False)
            assert (await asyncio.to_thread(comity, "show", older.record_id, *ada)).code == 0

    run(scenario())
