"""Delivers each new alarm to people, by the command or the webhook of the settings.

Invariants: nothing else waits for a delivery; one that fails is logged, and tried again until the
alarm is delivered or cleared; of processes that share a database one at a time tries.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from comity.node.database.alarms import claim_deliveries, mark_delivered, next_delivery_time
from comity.node.database.tables import AlarmRow
from comity.node.server.alarm_messages import alarm_raised, deliver, signing_secret
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import IDLE_SECONDS
from comity.node.trust.site import Site
from comity.record.errors import Unavailable

MIN_WAIT_SECONDS: Final = 1.0
"""The shortest wait between two looks at the alarms."""

log = structlog.get_logger()


class AlarmDelivery:
    """Delivers the alarms of one node."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def turn(self) -> float:
        """Deliver what is due; return in how many seconds the next turn is due without a new alarm.

        Raises:
            BadConfig: the secret in the folder of keys cannot be used.
        """
        alarms = await in_thread(self._claim)
        if alarms:
            secret = await in_thread(signing_secret, self._site.home.keys)
            await asyncio.gather(*(self._deliver(alarm, secret) for alarm in alarms))
        return max(await in_thread(self._seconds_left), MIN_WAIT_SECONDS)

    async def _deliver(self, alarm: AlarmRow, secret: bytes) -> None:
        site = self._site
        message = alarm_raised(site.institute, alarm, site.clock())
        try:
            await deliver(site.home.settings.alarms, message, secret)
        except Unavailable as error:
            about = {"institute": alarm.institute, "alarm": alarm.reason}
            tries = alarm.delivery_attempts
            log.warning("alarm not delivered", **about, error=str(error), tries=tries)
        else:
            await in_thread(self._mark, alarm)

    def _claim(self) -> list[AlarmRow]:
        # most turns find nothing, and should not take the writer's lock for it
        if self._seconds_left() > 0:
            return []
        with self._site.store.write() as session:
            return claim_deliveries(session, self._site.clock())

    def _seconds_left(self) -> float:
        """Return in how many seconds a delivery is due."""
        with self._site.store.read() as session:
            due = next_delivery_time(session)
        if due is None:
            return IDLE_SECONDS
        return min(max(due - self._site.clock(), 0) / 1000, IDLE_SECONDS)

    def _mark(self, alarm: AlarmRow) -> None:
        with self._site.store.write() as session:
            mark_delivered(session, alarm, self._site.clock())
