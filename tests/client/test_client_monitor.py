"""Evidence and monitoring against running nodes: what auditors type, and what they read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from comity.node.database.tables import (
    CosignatureRow,
    WitnessedLogRow,
)
from comity.node.trust.root_ceremony import prepare_first, publish_signed_root
from comity.policies.preset import load_preset
from comity.record.keys import SigningKey
from comity.record.spiffe import Role
from comity.record.times import format_time
from tests.support.command_line import Ended, Run
from tests.support.http_site import home_with_port
from tests.support.monitored_pair import MonitoredPair, forge_log, trusted
from tests.support.network import befriend, make_home, network, run, serving, until

UK, CA = "uk.aisi.example", "ca.aisi.example"


@pytest.fixture
def pair(tmp_path: Path, comity: Run) -> Callable[[], Any]:
    """Return what opens a pair of nodes; uk's log is also served over HTTP."""

    @asynccontextmanager
    async def open_pair() -> AsyncIterator[MonitoredPair]:
        homes = home_with_port(tmp_path / "homes"), make_home(tmp_path / "homes", CA)
        async with serving(homes[0]) as uk, serving(homes[1]) as ca:
            befriend(uk, ca)
            befriend(ca, uk)
            await asyncio.to_thread(uk.node.set_policy, load_preset("open"))
            eve = tmp_path / "eve.json"
            ca.node.home.grant(Role.AUDITOR, "eve").save(eve)

            async def typed(*arguments: str) -> Ended:
                words = (*arguments, "--profile", str(eve))
                return await asyncio.to_thread(comity, *words)

            yield MonitoredPair(uk, ca, typed)

    return open_pair


def test_evidence_of_a_peers_record_comes_through_ones_own_node(
    pair: Callable[[], Any], comity: Run, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with pair() as here:
            records = await here.publish("one", "two", "three")
            await here.received(*records)
            record_id = records[1].record_id
            output = str(tmp_path / "evidence.zip")
            ended = await here.typed("export", record_id[:8], "--evidence", "--output", output)
            assert (ended.code, "no proof" in ended.err) == (0, False)
            bundles = trusted(here, tmp_path / "bundles")
            verified = comity("verify", output, "--bundle", bundles, "--json")
            assert verified.code == 0, verified.out
            steps = {step["name"]: step for step in verified.json["files"][0]["steps"]}
            assert steps["inclusion"]["detail"].startswith("entry ")
            assert steps["sigstore"]["outcome"] == "ok"

    run(scenario())


def test_evidence_of_an_own_record_names_the_witness_that_cosigned(
    pair: Callable[[], Any], comity: Run, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with pair() as here:
            [record] = await here.publish("one")
            await until(lambda: here.uk.rows(CosignatureRow, size=1), "ca's cosignature")
            bo = tmp_path / "bo.json"
            here.uk.node.home.grant(Role.AUDITOR, "bo").save(bo)
            output = str(tmp_path / "evidence")
            words = ("export", record.record_id, "--evidence", "--output", output)
            ended = await asyncio.to_thread(comity, *words, "--profile", str(bo))
            assert ended.code == 0, ended.err
            bundles = trusted(here, tmp_path / "bundles")
            verified = comity("verify", output, "--bundle", bundles, "--json")
            assert verified.code == 0, verified.out
            assert verified.json["files"][0]["witnessedTime"] is not None

    run(scenario())


def test_evidence_and_bundles_come_with_the_root_that_says_until_when(
    pair: Callable[[], Any], comity: Run, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with pair() as here:
            offline = SigningKey.generate()
            root = prepare_first(here.uk.node, [offline.key], 1, days=30).sign(offline)
            await asyncio.to_thread(publish_signed_root, here.uk.node, root)
            [record] = await here.publish("one")
            bo = tmp_path / "bo.json"
            here.uk.node.home.grant(Role.AUDITOR, "bo").save(bo)

            async def typed(*arguments: str) -> Ended:
                return await asyncio.to_thread(comity, *arguments, "--profile", str(bo))

            evidence, bundles = tmp_path / "evidence", tmp_path / "bundles"
            words = ("export", record.record_id, "--evidence", "--output", str(evidence))
            assert (await typed(*words)).code == 0
            assert (await typed("bundles", "--output", str(bundles))).code == 0
            assert (evidence / f"{UK}.root.json").read_bytes() == root.document
            assert (bundles / f"{UK}.root.json").read_bytes() == root.document
            verified = comity("verify", str(evidence), "--bundle", str(bundles), "--json")
            assert verified.code == 0, verified.out
            [file] = verified.json["files"]
            assert file["expiry"] == format_time(root.expires)
            assert file["steps"][-2]["name"] == "profile"

    run(scenario())


def test_without_a_proof_the_rest_is_exported_and_that_is_told(
    pair: Callable[[], Any], comity: Run, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with pair() as here:
            [record] = await here.publish("one")
            path = tmp_path / "card.record.json"
            path.write_bytes(record.to_json())
            bundles = trusted(here, tmp_path / "bundles")
            output = str(tmp_path / "evidence")
            words = ("export", str(path), "--evidence", "--bundle", bundles, "--output", output)
            ended = await asyncio.to_thread(comity, *words)
            assert ended.code == 0
            assert f"no proof that it stands in the log of {UK}: " in ended.err
            assert (tmp_path / "evidence" / "trusted_root.json").exists()
            assert comity("verify", output, "--bundle", bundles).code == 0

    run(scenario())


def test_a_monitor_counts_what_was_shown_and_what_was_withheld(
    pair: Callable[[], Any], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with pair() as here:
            shown = await here.publish("one", "two")
            await here.publish("hidden", tlp="AMBER", releasable_to=[])
            await here.received(*shown)
            assert here.uk.server.web is not None
            site = f"http://{here.uk.server.web.address}"
            state = ("--state", str(tmp_path / "state"), "--json")
            ended = await here.typed("monitor", UK, site, *state)
            assert ended.code == 0, ended.out + ended.err
            for report in ended.json["logs"]:
                counted = {name: report[name] for name in ("size", "shown", "pending", "withheld")}
                assert counted == {"size": 3, "shown": 2, "pending": 0, "withheld": 1}
            assert [report["before"] for report in ended.json["logs"]] == [0, 3]
            table = await here.typed("monitor", here.uk.node.bundle.address, *state[:2])
            cells = table.out.splitlines()[1].split()
            assert (cells[:5], cells[-1]) == ([UK, "3", "0", "2", "1"], "holds")

    run(scenario())


def test_a_record_that_its_issuers_log_lacks_is_found(
    pair: Callable[[], Any], comity: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as if the records had come long ago
    monkeypatch.setattr("comity.client.monitor.received.MERGE_SECONDS", -60)

    async def scenario() -> None:
        async with pair() as here:
            records = await here.publish("one", "two")
            await here.received(*records)
            await until(lambda: here.ca.rows(WitnessedLogRow, size=2), "what ca witnessed")
            await asyncio.to_thread(forge_log, here.uk, [records[0].record_id])
            state = ("--state", str(tmp_path / "state"), "--json")
            ended = await here.typed("monitor", UK, *state)
            assert ended.code == 1
            [report] = ended.json["logs"]
            messages = {f["reason"]: f["message"] for f in report["findings"]}
            assert records[1].record_id in messages["NOT_LOGGED"]
            assert messages["BAD_ENTRY"].startswith("1 entries")
            [split] = [f for f in report["findings"] if f["reason"] == "SPLIT_VIEW"][:1]
            bundles = trusted(here, tmp_path / "bundles")
            proved = await asyncio.to_thread(
                comity, "verify", split["evidence"], "--bundle", bundles
            )
            assert proved.code == 0, proved.out

    run(scenario())


def test_a_static_log_needs_no_profile_but_the_institutes_bundle(
    pair: Callable[[], Any], comity: Run, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with pair() as here:
            await here.publish("one")
            assert here.uk.server.web is not None
            site = f"http://{here.uk.server.web.address}/"
            words = ("monitor", site, "--state", str(tmp_path / "state"), "--json")
            alone = await asyncio.to_thread(comity, *words)
            assert (alone.code, alone.json["logs"][0]["result"]) == (2, "unchecked")
            bundles = trusted(here, tmp_path / "bundles")
            known = await asyncio.to_thread(comity, *words, "--bundle", bundles)
            assert known.code == 0
            assert known.json["logs"][0]["shown"] is None

    run(scenario())


def test_a_log_that_cannot_be_reached_leaves_the_others_checked(
    pair: Callable[[], Any], tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with pair() as here:
            await here.publish("one")
            state = ("--state", str(tmp_path / "state"), "--json")
            logs = ("http://127.0.0.1:1", "nobody.example", UK)
            ended = await here.typed("monitor", *logs, *state)
            assert ended.code == 2
            assert [r["result"] for r in ended.json["logs"]] == ["unchecked", "unchecked", "holds"]

    run(scenario())


def test_ones_own_node_that_is_down_is_told_as_unreachable(comity: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, CA) as (ca,):
            ca.node.home.grant(Role.AUDITOR, "eve").save(tmp_path / "eve.json")

    run(scenario())
    ended = comity("monitor", UK, "--profile", str(tmp_path / "eve.json"), "--json")
    assert ended.code == 2
    assert json.loads(ended.err.splitlines()[-1])["error"]["reason"] == "UNAVAILABLE"
