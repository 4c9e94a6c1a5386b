"""Messages about alarms, and how one is handed to a command or a webhook.

    {"type": "comity.alarm.raised", "timestamp": "2026-12-01T09:30:00Z", "data": {
        "node": "uk.aisi.example", "institute": "ca.aisi.example", "reason": "ROOT_REFUSED",
        "message": "…", "firstTime": "…", "lastTime": "…", "count": 1}}

A message is signed as in Standard Webhooks 1.0: HMAC-SHA256 over ``id.timestamp.body`` with the
secret in ``keys/alarms.secret``. A webhook gets id, time and signature as headers ``webhook-id``,
``webhook-timestamp`` and ``webhook-signature``; a command gets them as environment variables of
the same names, in capitals and with underscores.

Invariants: the same alarm has the same id however often it is sent, so that a receiver can drop
what came twice; a delivery takes at most DELIVERY_SECONDS; neither the secret nor the webhook's URL
reaches an error.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from comity.node.database.clock import to_datetime
from comity.node.database.tables import AlarmRow
from comity.node.home.setting_tables import AlarmSettings
from comity.record.errors import BadConfig, Unavailable
from comity.record.keys import read_secret, write_secret
from comity.record.times import format_time

DELIVERY_SECONDS: Final = 20.0
"""How long a command or a webhook may take over one message."""

SECRET_FILE: Final = "alarms.secret"  # noqa: S105 -- the file's name
_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class AlarmMessage:
    """A message: its id, its time (Unix seconds), and its body, JSON in UTF-8."""

    message_id: str
    time: int
    body: bytes

    def headers(self, secret: bytes) -> dict[str, str]:
        """Return id, time and signature by name, as Standard Webhooks says."""
        signed = b".".join((self.message_id.encode(), str(self.time).encode(), self.body))
        digest = hmac.new(secret, signed, hashlib.sha256).digest()
        return {
            "webhook-id": self.message_id,
            "webhook-timestamp": str(self.time),
            "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        }


def alarm_raised(node: str, alarm: AlarmRow, now: int) -> AlarmMessage:
    """Return the message that an alarm was raised at the node of an institute."""
    data = {
        "node": node,
        "institute": alarm.institute,
        "reason": alarm.reason,
        "message": alarm.message,
        "firstTime": format_time(to_datetime(alarm.first_time)),
        "lastTime": format_time(to_datetime(alarm.last_time)),
        "count": alarm.count,
    }
    named = f"{node} {alarm.institute} {alarm.reason} {alarm.first_time}"
    return _message("comity.alarm.raised", named, data, now)


def alarm_test(node: str, now: int) -> AlarmMessage:
    """Return a message that says no more than that messages arrive."""
    data = {"node": node, "message": "This is a test: messages about alarms arrive."}
    return _message("comity.alarm.test", f"{node} test {now}", data, now)


def signing_secret(keys: Path) -> bytes:
    """Return the secret in the folder of keys; make one, mode 0600, if there is none.

    Raises:
        BadConfig: the file is readable by others, malformed, or cannot be written.
    """
    file = keys / SECRET_FILE
    if not file.exists():
        made = base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        write_secret(file, f"{_PREFIX}{made}\n".encode())

    text = read_secret(file).decode(errors="replace").strip()
    try:
        return base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError as error:
        hint = "remove the file, and a new secret is made; give that to the receiver"
        message = f"expected {_PREFIX} and base64"
        raise BadConfig(message, field=str(file), hint=hint) from error


async def deliver(settings: AlarmSettings, message: AlarmMessage, secret: bytes) -> None:
    """Hand a message to the command or the webhook of the settings.

    Raises:
        Unavailable: it did not take the message, or not within DELIVERY_SECONDS; says why.
    """
    headers = message.headers(secret)
    try:
        async with asyncio.timeout(DELIVERY_SECONDS):
            if settings.command:
                await _run(settings.command, message.body, headers)
            else:
                await _post(settings.webhook, message.body, headers)
    except TimeoutError as error:
        raise Unavailable(f"expected an end within {DELIVERY_SECONDS:.0f} s, got none") from error


async def _run(command: tuple[str, ...], body: bytes, headers: dict[str, str]) -> None:
    named = {name.upper().replace("-", "_"): value for name, value in headers.items()}
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, env=os.environ | named
        )
    except OSError as error:
        raise Unavailable(f"cannot start {command[0]}: {error.strerror}") from error

    try:
        await process.communicate(body)
    finally:
        # the time is over, or the node stops: the command must not outlive it
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Unavailable(f"expected {command[0]} to exit with 0, got {process.returncode}")


async def _post(url: str, body: bytes, headers: dict[str, str]) -> None:
    headers = {**headers, "Content-Type": "application/json"}
    try:
        # a redirect would take the message to an address that nobody set
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            status = answer.status
    except (aiohttp.ClientError, OSError) as error:
        raise Unavailable(f"the webhook: {type(error).__name__}") from error
    if not 200 <= status < 300:
        raise Unavailable(f"expected status 2xx of the webhook, got {status}")


def _message(kind: str, named: str, data: dict[str, Any], now: int) -> AlarmMessage:
    body = {"type": kind, "timestamp": format_time(to_datetime(now)), "data": data}
    message_id = f"msg_{hashlib.sha256(named.encode()).hexdigest()[:32]}"
    return AlarmMessage(message_id, now // 1000, json.dumps(body, ensure_ascii=False).encode())
