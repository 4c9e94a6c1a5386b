"""Keeps the certificate of a running node young.

Connections that are open stay open: the server shows the new certificate from the next handshake
on, and ``pull`` dials anew between two batches. Invariant: an obstacle to the renewal is told once
a day, and the node goes on with the old certificate.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

import structlog

from comity.node.database.clock import Clock, to_datetime
from comity.node.home.folder import Home
from comity.node.home.node_certificate import CertificateLife, renew_if_due
from comity.node.server.threads import in_thread
from comity.record.errors import BadConfig
from comity.record.times import format_time

LOOK_SECONDS: Final = 60.0
"""The longest pause between two looks at the certificate: clocks are set, and machines sleep."""

_DAY: Final = timedelta(days=1)

log = structlog.get_logger()


class Renewal:
    """Keeps the certificate of a running node young."""

    def __init__(self, home: Home, clock: Clock) -> None:
        self._home, self._clock = home, clock
        self._told: datetime | None = None
        self._pause = 0.0

    def start(self) -> None:
        """Renew what is due, before the node serves.

        Raises:
            BadConfig: the certificate has ended and cannot be renewed: no peer would accept it.
        """
        problem = self._look()
        end = CertificateLife.of(self._home).end
        if problem is not None and end <= self._now():
            message = f"the node's certificate ended at {format_time(end)}: {problem}"
            raise BadConfig(message, hint=problem.hint) from problem

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await in_thread(self._look)
            await asyncio.sleep(self._pause)

    def _look(self) -> BadConfig | None:
        """Renew the certificate if it is due; return what keeps it from being renewed."""
        now, self._pause = self._now(), LOOK_SECONDS
        try:
            renewed, life = renew_if_due(self._home, now), CertificateLife.of(self._home)
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
