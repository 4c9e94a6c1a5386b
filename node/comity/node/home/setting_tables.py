"""The tables of ``comity.toml``, such as ``[log]``; ``settings`` reads the whole file.

Invariants: tables are frozen; an unknown key is an error; no message of an error repeats a value.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from comity.record.address import parse_address
from comity.record.errors import InvalidInput
from comity.record.kind import Kind
from comity.record.limits import MAX_HEARTBEAT_SECONDS
from comity.record.models import Integer

EVERY_INTERFACE: Final = ("0.0.0.0", "[::]")  # noqa: S104 -- a name for it
"""Hosts that mean all interfaces of a machine: good to bind, and nothing that can be dialled."""

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def _address(text: str) -> str:
    try:
        parse_address(text)
    except InvalidInput as error:
        raise ValueError(error.message) from error
    return text


def _dialled(text: str) -> str:
    try:
        host, _ = parse_address(text, least_port=1)
    except InvalidInput as error:
        raise ValueError(error.message) from error
    if host in EVERY_INTERFACE:
        raise ValueError(f"expected an address that others can dial, got {text!r:.100}")
    return text


Address = Annotated[str, AfterValidator(_address)]
DialledAddress = Annotated[str, AfterValidator(_dialled)]
Seconds = Annotated[Integer, Field(ge=1, le=3600)]


class SettingsTable(BaseModel):
    """A table of settings: frozen, and without unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )


class ReplicationSettings(SettingsTable):
    """The pace of replication, in seconds, each 1 to 3600, and the quota of each peer.

    ``heartbeat_seconds`` is at most MAX_HEARTBEAT_SECONDS, since a puller drops a silent stream.
    ``peer_records_per_day`` and ``peer_bytes_per_day`` are taken from one peer on a day, UTC.
    """

    heartbeat_seconds: Annotated[Integer, Field(ge=1, le=MAX_HEARTBEAT_SECONDS)] = 10
    retry_min_seconds: Seconds = 1
    retry_max_seconds: Seconds = 60
    peer_records_per_day: Annotated[Integer, Field(ge=1)] = 250_000
    peer_bytes_per_day: Annotated[Integer, Field(ge=1)] = 16 << 30

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.retry_max_seconds < self.retry_min_seconds:
            least, got = self.retry_min_seconds, self.retry_max_seconds
            raise ValueError(f"expected retry_max_seconds of at least {least}, got {got}")
        return self


class LogSettings(SettingsTable):
    """How often the log is signed and where it is served.

    ``checkpoint_seconds`` is 1 to 3600. ``listen`` is the HTTP port's ``host:port``; empty, none.
    """

    checkpoint_seconds: Seconds = 1
    listen: Address | Literal[""] = ""


class StandingSettings(SettingsTable):
    """How standing is counted; ``comity.node.policy.standing.rule`` states the rule.

    ``window_days`` is 1 to 36500. A weight is 0 to 1000, by kind of record.
    """

    window_days: Annotated[Integer, Field(ge=1, le=36_500)] = 365
    weights: dict[Kind, Annotated[Integer, Field(ge=0, le=1000)]] = {}


def _webhook(url: str) -> str:
    parts = urlsplit(url)
    # whoever reads an alarm on its way learns of the institute's troubles
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not (safe and parts.hostname):
        raise ValueError("expected an https URL, or http on this machine")
    return url


class AlarmSettings(SettingsTable):
    """How alarms reach people: by a command or by a webhook; by default neither.

    ``command`` is a program and its arguments, started without a shell, with the alarm as JSON on
    its standard input. ``webhook`` is an https URL, to which the same JSON is posted. See
    ``server.alarm_messages``.
    """

    command: tuple[str, ...] = ()
    webhook: Annotated[str, AfterValidator(_webhook)] | Literal[""] = ""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.command and self.webhook:
            raise ValueError("expected a command or a webhook, got both")
        return self


def default_listen(address: str) -> str:
    """Return what a node binds by default: the port of its address, on as few interfaces as fit."""
    host, port = parse_address(address)
    # a node that others reach only on this machine is not shown to the network
    return f"{host if host.strip('[]') in _LOOPBACK else EVERY_INTERFACE[0]}:{port}"
