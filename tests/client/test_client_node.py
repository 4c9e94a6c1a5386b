"""The connection to one's own node: what it brings, and what it does not take from a bad node."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import comity.client
from comity.client import Profile, connect, terminal
from comity.client.commands.app import app
from comity.node.database.tables import PeerRow, RecordRow
from comity.policies.facts import PeerStatus
from comity.record.bundle import SpiffeBundle
from comity.record.envelope import Envelope
from comity.record.errors import (
    BadBundle,
    BadConfig,
    BadSignature,
    ComityError,
    Forbidden,
    NotFound,
    Unavailable,
    UnknownKey,
)
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.spiffe import Role, SpiffeId
from tests.support.drafts import card
from tests.support.fake_node import ADA, FakeInstitute, FakeNode, faked
from tests.support.network import network, run, until
from tests.support.paths import ROOT

UK, CA = "uk.aisi.example", "ca.aisi.example"
UK_NODE, CA_NODE = SpiffeId(UK, Role.NODE), SpiffeId(CA, Role.NODE)


def test_an_analyst_finds_reads_and_watches_verified_records(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, ca):
            published = [uk.sign(card(f"model-{number}")) for number in range(3)]
            for record in published:
                uk.node.publish(record)
            await until(lambda: len(ca.rows(RecordRow)) == 3, "the cards at ca")
            async with connect(ca.node.home.grant(Role.ANALYST, "ada")) as node:
                found = [result async for result in node.search(model="MODEL")]
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
            terminal.run(app, arguments)
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


def test_a_forged_record_raises_and_is_not_skipped() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        good = card().sign(UK_NODE, uk.key)
        other = card().sign(UK_NODE, uk.key).envelope
        keyid, signature = good.envelope.keyid, good.envelope.signature
        forged = Record(Envelope(other.payload_type, other.payload, keyid, signature))
        fake = FakeNode(good, forged, good)
        async with faked(uk, fake) as address, connect(uk.profile(address)) as node:
            found = node.search()
            assert (await anext(found)).record_id == good.record_id
            with pytest.raises(BadSignature):
                await anext(found)

    run(scenario())


def test_a_record_other_than_the_one_asked_for_is_refused() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        asked, answered = card().sign(UK_NODE, uk.key), card().sign(UK_NODE, uk.key)
        async with (
            faked(uk, FakeNode(answered)) as address,
            connect(uk.profile(address)) as node,
        ):
            with pytest.raises(NotFound, match=asked.record_id):
                await node.get(asked.record_id)

    run(scenario())


def test_the_readmes_program_prints_what_it_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMITY_CONFIG", str(tmp_path / "config"))
    readme = (ROOT / "README.md").read_text()
    [program] = [b for b in re.findall(r"```python\n(.*?)```", readme, re.S) if "connect" in b]
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


def test_a_record_of_an_institute_without_a_bundle_is_refused() -> None:
    async def scenario() -> None:
        uk, ca = FakeInstitute(UK), FakeInstitute(CA)
        fake = FakeNode(card().sign(CA_NODE, ca.key))
        async with faked(uk, fake) as address, connect(uk.profile(address)) as node:
            with pytest.raises(UnknownKey):
                await node.search_page()

    run(scenario())


def test_a_peer_that_was_pinned_meanwhile_is_believed() -> None:
    async def scenario() -> None:
        uk, ca = FakeInstitute(UK), FakeInstitute(CA)
        record = card().sign(CA_NODE, ca.key)
        fake = FakeNode(record)
        async with faked(uk, fake) as address:
            own = uk.bundle(address)
            fake.bundles = [[own], [own, ca.bundle()]]
            async with connect(uk.profile(address)) as node:
                page = await node.search_page()
                assert [result.record_id for result in page.results] == [record.record_id]

    run(scenario())


def test_a_node_with_other_keys_than_the_pinned_ones_is_refused() -> None:
    async def scenario() -> None:
        uk, fake = FakeInstitute(UK), FakeNode()
        async with faked(uk, fake) as address:
            profile = uk.profile(address)
            uk.key = SigningKey.generate()
            fake.bundles = [[uk.bundle(address)]]
            with pytest.raises(BadBundle) as caught:
                async with connect(profile):
                    pass
            assert caught.value.field == "recordKeys"

    run(scenario())


def test_a_server_certified_by_another_institutes_ca_is_not_spoken_to() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        impostor = FakeInstitute(UK)
        for by in (impostor, FakeInstitute(CA)):
            async with faked(uk, FakeNode(), by=by) as address:
                with pytest.raises(Unavailable, match="failed to connect") as caught:
                    async with connect(uk.profile(address)):
                        pass
                assert "certified by an authority that is not known here" in caught.value.hint

    run(scenario())


def test_a_persons_certificate_cannot_serve_as_the_node() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        async with faked(uk, FakeNode(), role=ADA) as address:
            with pytest.raises(Unavailable, match="failed to connect"):
                async with connect(uk.profile(address)):
                    pass

    run(scenario())


def test_an_expired_profile_is_told_before_anyone_is_called() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        then = datetime.now(UTC) - timedelta(days=2)
        profile = uk.profile("127.0.0.1:1", now=then, lifetime=timedelta(days=1))
        with pytest.raises(BadConfig) as caught:
            async with connect(profile):
                pass
        assert "comity-node grant" in caught.value.hint

    run(scenario())


def test_an_institute_without_authorities_cannot_be_dialled() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        profile = uk.profile("127.0.0.1:1")
        revoked = profile.bundle.model_copy(update={"spiffe": SpiffeBundle(keys=())})
        with pytest.raises(ComityError, match="authority"):
            async with connect(Profile(ADA, revoked, profile.certificate, profile.private_key)):
                pass

    run(scenario())


def test_everything_that_the_package_exports_is_there_and_documented() -> None:
    assert all(getattr(comity.client, name).__doc__ for name in comity.client.__all__)
