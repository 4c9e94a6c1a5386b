"""Alarms reach people: by a command or a webhook, signed, and again until they are taken."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from comity.node.database import alarms as alarm_rows
from comity.node.database.alarms import clear_alarm, list_alarms, raise_alarm
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.node.server import alarm_messages
from comity.node.server.alarm_messages import alarm_test, deliver, signing_secret
from comity.node.server.background.alarm_delivery import AlarmDelivery
from comity.record.errors import BadConfig, Unavailable
from tests.support.command_line import Run, init
from tests.support.network import make_home, run, serving, until

UK, CA = "uk.aisi.example", "ca.aisi.example"


def home_with_alarms(root: Path, setting: str) -> Home:
    """Make a home of uk whose alarms go the way that a line of the settings says."""
    home = make_home(root, UK)
    file = home.path / "comity.toml"
    file.write_text(f"{file.read_text()}\n{setting}\n")
    return Home(home.path)


@asynccontextmanager
async def receiver(*statuses: int) -> AsyncIterator[tuple[str, list[tuple[Any, bytes]]]]:
    """Serve a webhook that answers with these statuses, then with 204; yield URL and requests."""
    left, got = list(statuses), []

    async def take(request: web.Request) -> web.Response:
        got.append((request.headers, await request.read()))
        return web.Response(status=left.pop(0) if left else 204)

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [(host, port)] = runner.addresses
    try:
        yield f"http://{host}:{port}/hook", got
    finally:
        await runner.cleanup()


def alarm(node: Node, reason: str = "ROOT_REFUSED") -> None:
    """Raise an alarm about ca at a node."""
    with node.store.write() as session:
        raise_alarm(session, CA, reason, "version 3 follows version 1", node.clock())


def is_delivered(node: Node) -> bool:
    """Return True if every alarm of a node has reached people."""
    with node.store.read() as session:
        return all(row.delivered_time is not None for row in list_alarms(session))


def test_a_new_alarm_is_posted_once_and_its_signature_verifies(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiver() as (url, got):
            home = home_with_alarms(tmp_path, f'webhook = "{url}"')
            async with serving(home) as uk:
                await asyncio.to_thread(alarm, uk.node)
                await until(lambda: is_delivered(uk.node), "the delivery")
                # the same cause again is no news
                await asyncio.to_thread(alarm, uk.node)
                await asyncio.to_thread(alarm, uk.node, "SPLIT_VIEW")
                await until(lambda: len(got) == 2, "the second alarm")

        headers, body = got[0]
        told = json.loads(body)
        assert (told["type"], told["data"]["node"]) == ("comity.alarm.raised", UK)
        assert (told["data"]["institute"], told["data"]["reason"]) == (CA, "ROOT_REFUSED")
        assert json.loads(got[1][1])["data"]["reason"] == "SPLIT_VIEW"

        # as any library for Standard Webhooks verifies
        text = (home.keys / "alarms.secret").read_text().strip()
        secret = base64.b64decode(text.removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.new(secret, signed, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"

    run(scenario())


def test_an_alarm_that_is_not_taken_is_sent_again_under_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_rows, "MIN_RETRY_MS", 1)

    async def scenario() -> None:
        # a redirect is no delivery, and is not followed
        async with (
            receiver(503, 302) as (url, got),
            serving(home_with_alarms(tmp_path, f'webhook = "{url}"')) as uk,
        ):
            await asyncio.to_thread(alarm, uk.node)
            await until(lambda: is_delivered(uk.node), "the delivery")
        assert len(got) == 3
        assert len({headers["webhook-id"] for headers, _ in got}) == 1

    run(scenario())


def test_a_command_reads_the_alarm_and_sees_no_shell(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    script = tmp_path / "page.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "pathlib.Path(sys.argv[1]).write_text(os.environ['WEBHOOK_ID'] + sys.stdin.read())\n"
    )
    words = json.dumps([sys.executable, str(script), str(told), "; rm -rf $HOME"])

    async def scenario() -> None:
        async with serving(home_with_alarms(tmp_path, f"command = {words}")) as uk:
            await asyncio.to_thread(alarm, uk.node)
            await until(lambda: is_delivered(uk.node), "the delivery")
        message_id, brace, body = told.read_text().partition("{")
        assert message_id.startswith("msg_")
        assert json.loads(brace + body)["data"]["institute"] == CA

    run(scenario())


def test_a_command_that_hangs_is_ended_and_nothing_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarm_messages, "DELIVERY_SECONDS", 0.1)
    words = json.dumps([sys.executable, "-c", "import time; time.sleep(3600)"])
    settings = home_with_alarms(tmp_path, f"command = {words}").settings.alarms
    with pytest.raises(Unavailable, match="expected an end within"):
        asyncio.run(deliver(settings, alarm_test(UK, 1), b"secret"))


def test_an_alarm_cleared_and_raised_again_is_delivered_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with receiver() as (url, got):
            node = Node(home_with_alarms(tmp_path, f'webhook = "{url}"'))
            delivery = AlarmDelivery(node)
            for _ in range(2):
                alarm(node)
                await delivery.turn()
                # nothing is due: a turn sends nothing
                await delivery.turn()
                with node.store.write() as session:
                    assert clear_alarm(session, CA, "ROOT_REFUSED")
            node.close()
        assert len(got) == 2

    run(scenario())


def test_a_process_that_died_over_a_delivery_only_delays_it(tmp_path: Path) -> None:
    node = Node(make_home(tmp_path, UK))
    alarm(node)
    now = node.clock()
    for later in (0, alarm_rows.MIN_RETRY_MS, 3 * alarm_rows.MIN_RETRY_MS):
        with node.store.write() as session:
            # claimed, and never marked: due again after a pause that doubles
            assert len(alarm_rows.claim_deliveries(session, now + later)) == 1
            assert alarm_rows.claim_deliveries(session, now + later) == []
    node.close()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('webhook = "http://oncall.example/x"', "expected an https URL"),
        ('webhook = "file:///etc/passwd"', "expected an https URL"),
        ('webhook = "https://a.example"\ncommand = ["page"]', "got both"),
        ('comand = ["page"]', "expected one of command, webhook"),
    ],
)
def test_a_way_that_is_not_safe_or_not_clear_is_refused(
    tmp_path: Path, setting: str, expected: str
) -> None:
    with pytest.raises(BadConfig, match=expected):
        _ = home_with_alarms(tmp_path, setting).settings


def test_the_test_command_says_whether_messages_arrive(comity_node: Run) -> None:
    init(comity_node)
    ended = comity_node("alarms", "test")
    assert (ended.code, "set command or webhook" in ended.err) == (1, True)
    file = Path("uk/comity.toml")
    text = file.read_text()
    for code in (0, 7):
        words = json.dumps([sys.executable, "-c", f"raise SystemExit({code})"])
        file.write_text(f"{text}command = {words}\n")
        ended = comity_node("alarms", "test")
        assert ended.code == min(code, 1)
    assert "exit with 0, got 7" in ended.err
    secret = Path("uk/keys/alarms.secret")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert len(signing_secret(secret.parent)) == 32
