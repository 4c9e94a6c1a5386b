"""Withdrawn is withdrawn: wherever a record is shown, found, exported, verified or watched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from comity.client import connect
from comity.client.commands.app import app
from comity.client.drafts.draft import Draft
from comity.node.database.tables import RecordRow
from comity.node.node import Node
from comity.record.bundle import Keyring
from comity.record.errors import BadEvidence, UnknownKey, WrongIssuer
from comity.record.record import Record, open_record
from comity.record.spiffe import Role
from comity.record.withdrawal import open_withdrawal
from tests.support.command_line import Ended, runner
from tests.support.drafts import card
from tests.support.institutes import Institute
from tests.support.network import Running, network, run, until

UK, CA = "uk.aisi.example", "ca.aisi.example"
REASON = "The transcripts were of another model."


def notice(*records: Record) -> Draft:
    """Return a draft of a notice that withdraws records."""
    named = [{"record": record.record_id, "relation": "withdraws"} for record in records]
    return card(
        "notice",
        kind="withdrawal",
        title={"en": "Wrong model tested"},
        summary={"en": REASON},
        references=named,
        sections={},
    )


def publish(node: Node, draft: Draft) -> Record:
    """Sign and publish a draft at a node."""
    record = draft.sign(node.home.node_id, node.key)
    node.publish(record)
    return record


async def withdrawn_at(uk: Running, ca: Running) -> tuple[Record, Record]:
    """Publish a record at uk and withdraw it; return it and its notice, once ca has both."""
    record = await asyncio.to_thread(publish, uk.node, card("llama"))
    await until(lambda: ca.rows(RecordRow, record_id=record.record_id), "the card")
    taken_back = await asyncio.to_thread(publish, uk.node, notice(record))
    await until(lambda: ca.rows(RecordRow, withdrawn=True), "the withdrawal")
    return record, taken_back


def test_every_command_of_a_reader_says_withdrawn_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMITY_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    comity = runner(app, monkeypatch, capsys)

    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, ca):
            record, taken_back = await withdrawn_at(uk, ca)
            ca.node.home.grant(Role.AUDITOR, "eve").save(tmp_path / "eve.json")
            short = record.record_id[:8]

            async def typed(*arguments: str) -> Ended:
                return await asyncio.to_thread(comity, *arguments, "--profile", "eve.json")

            await check(typed, record, taken_back, short)

    async def check(
        typed: Callable[..., Awaitable[Ended]], record: Record, taken_back: Record, short: str
    ) -> None:
        shown = (await typed("show", short)).out
        assert shown.startswith(f"WITHDRAWN by spiffe://{UK}/node at ")
        assert REASON in shown
        assert taken_back.record_id in shown
        assert "withdrawn: the signature holds" in shown
        value = (await typed("show", short, "--json")).json
        assert value["withdrawal"]["notice"] == taken_back.record_id
        assert value["withdrawal"]["summary"] == {"en": REASON}

        # a search leaves it out unless asked, and then marks it
        assert short not in (await typed("search", "--kind", "model-card")).out
        found = (await typed("search", "--kind", "model-card", "--withdrawn")).out
        assert short in found
        assert "WITHDRAWN" in found

        # an export carries the notice, and whoever verifies it offline reads of it
        ended = await typed("export", short, "--output", "out")
        assert "WITHDRAWN" in ended.out
        assert "has withdrawn this record" in (tmp_path / "out/CHECK.md").read_text()
        await typed("bundles", "--output", "bundles")
        ended = await typed("verify", "out", "--bundle", "bundles")
        assert (ended.code, "WITHDRAWN" in ended.out) == (4, True)
        ended = await typed("show", "out", "--bundle", "bundles")
        assert ended.out.startswith("WITHDRAWN")

        # a copy from before does not know it; a node does
        (tmp_path / "old.record.json").write_bytes(record.to_json())
        ended = await typed("verify", "old.record.json", "--bundle", "bundles")
        assert (ended.code, "--ask" in ended.out) == (0, True)
        ended = await typed("verify", "old.record.json", "--bundle", "bundles", "--ask", "--json")
        assert ended.code == 4
        [told] = ended.json["files"]
        assert (told["verdict"], told["withdrawal"]["notice"]) == (
            "withdrawn",
            taken_back.record_id,
        )

    run(scenario())


def test_a_watch_tells_of_the_notice_and_not_of_what_it_withdraws(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, ca):
            record, taken_back = await withdrawn_at(uk, ca)
            async with connect(ca.node.home.grant(Role.ANALYST, "ada")) as node:
                found = [result.record_id async for result in node.search()]
                assert found == [taken_back.record_id]
                every = [result async for result in node.search(include_withdrawn=True)]
                told = {result.record_id: result.withdrawal for result in every}
                assert told[taken_back.record_id] is None
                withdrawal = told[record.record_id]
                assert withdrawal is not None
                assert withdrawal.notice.record_id == taken_back.record_id

    run(scenario())


def test_a_notice_in_an_export_that_does_not_withdraw_it_makes_the_export_invalid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMITY_CONFIG", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    comity = runner(app, monkeypatch, capsys)

    async def scenario() -> None:
        async with network(tmp_path, UK) as (uk,):
            uk.node.home.grant(Role.AUDITOR, "eve").save(tmp_path / "eve.json")
            record = await asyncio.to_thread(publish, uk.node, card("llama"))
            other = await asyncio.to_thread(publish, uk.node, card("other"))
            forged = await asyncio.to_thread(publish, uk.node, notice(other))

            def typed(*arguments: str) -> Ended:
                return comity(*arguments, "--profile", "eve.json")

            await asyncio.to_thread(typed, "export", record.record_id, "--output", "out")
            (tmp_path / "out/withdrawal.record.json").write_bytes(forged.to_json())
            ended = await asyncio.to_thread(typed, "verify", "out")
            assert (ended.code, "WITHDRAWN" in ended.out) == (1, False)
            assert "expected a notice that withdraws" in ended.out

    run(scenario())


def test_only_a_trusted_notice_of_the_issuer_that_names_the_record_counts(
    three: list[Institute],
) -> None:
    uk, ca = three[0].node, three[1].node
    keys = Keyring([uk.bundle, ca.bundle])
    record = card("one").sign(uk.home.node_id, uk.key)
    opened = open_record(record, keys.find)
    good = notice(record).sign(uk.home.node_id, uk.key)
    assert open_withdrawal(good.envelope, opened, keys.find).summary == {"en": REASON}

    foreign = notice(record).sign(ca.home.node_id, ca.key)
    with pytest.raises(WrongIssuer):
        open_withdrawal(foreign.envelope, opened, keys.find)
    with pytest.raises(UnknownKey):
        open_withdrawal(good.envelope, opened, Keyring([ca.bundle]).find)
    for other in (notice(), card("two")):
        with pytest.raises(BadEvidence):
            open_withdrawal(other.sign(uk.home.node_id, uk.key).envelope, opened, keys.find)
