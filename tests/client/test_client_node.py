"""The connection to one's own node: what it brings, and what it does not take from a bad node."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

import comity.client
from comity.client import connect
from comity.client.command_line import run as run_command
from comity.client.commands.app import app
from comity.node.database.tables import PeerRow, RecordRow
from comity.policies.facts import PeerStatus
from comity.record.errors import (
    Forbidden,
    NotFound,
)
from comity.record.spiffe import Role, SpiffeId
from tests.support.drafts import card
from tests.support.network import network, run, until
from tests.support.paths import ROOT

UK, CA = "uk.aisi.example", "ca.aisi.example"
CA_NODE = SpiffeId(CA, Role.NODE)


def test_an_analyst_finds_reads_and_watches_verified_records(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, ca):
            published = [uk.sign(card(f"model-{number}")) for number in range(3)]
            for record in published:
                uk.node.publish(record)
            await until(lambda: len(ca.rows(RecordRow)) == 3, "the cards at ca")
            async with connect(ca.node.home.grant(Role.ANALYST, "ada")) as node:
                found = [result async for result in node.search(models=["MODEL"])]
                assert {r.record_id for r in found} == {r.record_id for r in published}
                assert {r.origin for r in found} == {UK}
                one = await node.get(published[0].record_id[:12])
                assert one.opened.record.envelope == published[0].envelope
                assert {s.name: s.status for s in one.view.sections} == {
                    "limitations": "present",
                    "risks": "present",
                }
                watching = node.watch(min_severity="high")
                arrival = asyncio.ensure_future(anext(watching))
                late: list[str] = []
                while not arrival.done():
                    record = uk.sign(card(f"late-{len(late)}"))
                    uk.node.publish(record)
                    late.append(record.record_id)
                    await asyncio.wait([arrival], timeout=0.2)
                assert (await arrival).record_id in late
                await watching.aclose()

    run(scenario())


def test_an_analyst_may_not_publish_and_learns_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK) as (uk,):
            async with connect(uk.node.home.grant(Role.ANALYST, "ada")) as node:
                with pytest.raises(Forbidden):
                    await node.publish(uk.sign(card()))
                with pytest.raises(NotFound):
                    await node.get("0" * 64)
            assert uk.rows(RecordRow) == []

    run(scenario())


def test_the_command_talks_to_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMITY_CONFIG", str(tmp_path / "config"))

    def comity(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            run_command(app, arguments)
        captured = capsys.readouterr()
        assert ended.value.code == 0, captured.err
        return captured.out

    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, ca):
            for role, name in ((Role.OPERATOR, "bo"), (Role.AUDITOR, "eve")):
                uk.node.home.grant(role, name).save(tmp_path / f"{name}.json")
            record = uk.sign(card(tags=["open"]))
            (tmp_path / "card.record.json").write_bytes(record.to_json())
            bo = ("--profile", str(tmp_path / "bo.json"))
            eve = ("--profile", str(tmp_path / "eve.json"))

            async def typed(*arguments: str) -> str:
                return await asyncio.to_thread(comity, *arguments)

            said = await typed("publish", str(tmp_path / "card.record.json"), *bo)
            assert said.startswith(f"{record.record_id}  log index 0")
            await until(lambda: ca.rows(RecordRow), "the card at ca")
            assert record.record_id[:12] in await typed("search", "--tag", "open", *eve)
            assert "Forgets." in await typed("show", record.record_id[:8], *eve)
            folder = str(tmp_path / "exported")
            await typed("export", record.record_id[:8], "--output", folder, *eve)
            await typed("bundles", "--output", str(tmp_path / "bundles"), *eve)
            await typed("verify", folder, "--bundle", str(tmp_path / "bundles"))
            released = await typed("releases", "--all", *eve)
            assert all(word in released for word in (CA, "version 1", "open-members"))
            [newest, *_] = json.loads(await typed("releases", "--json", *eve))["releases"]
            assert newest["policyVersion"] == 1
            assert CA in await typed("status", *eve)
            assert "(header)" in await typed("explain", record.record_id, "--peer", CA, *eve)
            hidden = uk.sign(card(tlp="AMBER", releasable_to=[]))
            uk.node.publish(hidden)
            said = await typed("explain", hidden.record_id, "--peer", CA, *eve)
            assert f"would be released if {UK}, who issued it, listed {CA}" in said
            await typed("quarantine", "--json", *eve)
            await until(lambda: uk.rows(PeerRow, institute=CA, receipted=3), "the receipt")
            assert "valid" in await typed("receipts", *eve)

    run(scenario())


def test_the_program_for_analysts_prints_what_it_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMITY_CONFIG", str(tmp_path / "config"))
    page = (ROOT / "docs" / "analyst.md").read_text()
    [program] = re.findall(r"```python\n(.*?)```", page, re.S)
    names: dict[str, Any] = {}
    exec(program.replace("asyncio.run(main())", ""), names)

    async def scenario() -> None:
        async with network(tmp_path, UK) as (uk,):
            uk.node.publish(uk.sign(card("llama")))
            comity.client.ProfileStore().login(uk.node.home.grant(Role.ANALYST, "ada"), "ada")
            await names["main"]()

    run(scenario())
    assert f"{UK} Card of llama\n" in capsys.readouterr().out


def test_records_of_a_removed_peer_stay_readable_and_verified(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, ca):
            record = ca.sign(card())
            ca.node.publish(record)
            await until(lambda: uk.rows(RecordRow), "the card at uk")
            uk.node.set_peer_status(CA, PeerStatus.REMOVED)
            async with connect(uk.node.home.grant(Role.ANALYST, "ada")) as node:
                assert [bundle.institute for bundle in node.bundles] == [UK]
                [result] = [result async for result in node.search(issuers=[CA])]
                assert result.record_id == record.record_id
                found = await node.get(record.record_id[:8])
                assert found.opened.statement.issuer == CA_NODE

    run(scenario())


def test_everything_that_the_package_exports_is_there_and_documented() -> None:
    assert all(getattr(comity.client, name).__doc__ for name in comity.client.__all__)
