"""Renewal of the node's certificate, long before it ends.

A certificate is due when two thirds of its life are over; its successor has a new key and a life
of the same length. Invariants: key and certificate are one file that is replaced whole, so they
belong together after any crash; of processes that share a home one renews, and the others find
the new file; a renewal that fails leaves the old certificate in force, and is told once a day.

Connections that are open stay open: the server shows the new certificate from the next handshake
on, and ``pull`` dials anew between two batches.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509

from comity.node.database.clock import Clock, to_datetime
from comity.node.home.certificate_authority import CLOCK_DRIFT, Authority
from comity.node.home.files import alone
from comity.node.home.folder import NODE_FILE, Home
from comity.node.server.threads import in_thread
from comity.record.errors import BadConfig
from comity.record.times import format_time

LOOK_SECONDS: Final = 60.0
"""How often it is looked whether the certificate is due: clocks are set, and machines sleep."""

_DAY: Final = timedelta(days=1)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Life:
    """When a certificate was issued and when it ends: aware UTC datetimes."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, home: Home) -> Life:
        """Return the life of the node's certificate.

        Raises:
            BadConfig: the file is missing, readable by others, or not what it should be.
        """
        try:
            certificate = x509.load_pem_x509_certificate(home.node_identity()[0])
        except ValueError as error:
            message = "expected the node's certificate in PEM"
            raise BadConfig(message, field=str(home.keys / NODE_FILE)) from error
        return cls(certificate.not_valid_before_utc + CLOCK_DRIFT, certificate.not_valid_after_utc)

    @property
    def due(self) -> datetime:
        """When the certificate is to be renewed."""
        return self.end - (self.end - self.start) / 3


def renew(home: Home, now: datetime, ca_key: Path | None = None) -> None:
    """Give the node a new key and a certificate for 90 days, whether the old one is due or not.

    ``ca_key`` is the file of the CA's private key, by default the home's.

    Raises:
        BadConfig: that key is not here or not the CA's, or the home cannot be written; nothing
            has changed.
    """
    certify(home, home.authority if ca_key is None else home.authority_with(ca_key), now)


def certify(home: Home, authority: Authority, now: datetime) -> None:
    """Give the node a new key and a certificate of ``authority`` for 90 days.

    Raises:
        BadConfig: the home cannot be written; nothing has changed.
    """
    with alone(home.keys):
        home.save_node_identity(authority.issue(home.node_id, now=now))


def renew_if_due(home: Home, now: datetime) -> bool:
    """Renew the node's certificate if it is due and no other process has; tell whether it was.

    Raises: as ``renew``.
    """
    if now < Life.of(home).due:
        return False
    with alone(home.keys):
        old = Life.of(home)
        if now < old.due:
            return False
        home.save_node_identity(home.authority.issue(home.node_id, old.end - old.start, now))
    return True


def obstacle(home: Home, now: datetime) -> BadConfig | None:
    """Return what keeps a certificate that is due from being renewed; None if nothing does."""
    if now < Life.of(home).due:
        return None
    try:
        _ = home.authority
    except BadConfig as error:
        return error
    return None


class Renewal:
    """Keeps the certificate of a running node young."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home, self._clock = home, clock
        self._told: datetime | None = None
        self._pause = 0.0

    def start(self) -> None:
        """Renew what is due, before the node serves.

        Raises:
            BadConfig: the certificate has ended and cannot be renewed: nobody would talk to us.
        """
        problem = self._look()
        end = Life.of(self._home).end
        if problem is not None and end <= self._now():
            message = f"the node's certificate ended at {format_time(end)}: {problem}"
            raise BadConfig(message, hint=problem.hint) from problem

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await in_thread(self._look)
            await asyncio.sleep(self._pause)

    def _look(self) -> BadConfig | None:
        now, self._pause = self._now(), LOOK_SECONDS
        try:
            renewed, life = renew_if_due(self._home, now), Life.of(self._home)
        except BadConfig as error:
            if self._told is None or now - self._told >= _DAY:
                self._told = now
                log.warning("certificate not renewed", error=str(error), hint=error.hint)
            return error
        if renewed:
            log.info("certificate renewed", until=format_time(life.end))
        self._pause = min(LOOK_SECONDS, max(0.0, (life.due - now).total_seconds()))
        return None

    def _now(self) -> datetime:
        return to_datetime(self._clock())
