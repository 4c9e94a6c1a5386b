"""Notes for operators when a peer that is pulled from was in contact, and what went wrong.

A peer that stays out of reach is told of once as a warning after WARN_MS, and as an alarm after
ALARM_MS, which the next contact clears.

Invariants: a stream on which nothing happens is noted once in CONTACT_SECONDS; what only people
read wakes nobody.
"""

from __future__ import annotations

import time
from typing import Final

import structlog

from comity.node.database.alarms import clear_alarm, raise_alarm
from comity.node.database.clock import to_datetime
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PeerRow
from comity.node.database.text import storable_message
from comity.node.replication.clock_skew import note_peer_time
from comity.node.server.threads import in_thread
from comity.node.trust.peers import get_peer
from comity.node.trust.site import Site
from comity.record.errors import ComityError
from comity.record.times import format_time

CONTACT_SECONDS: Final = 60
"""How far the time of the last contact, which operators see, may lag behind."""

WARN_MS: Final = 10 * 60_000
ALARM_MS: Final = 6 * 3_600_000

PEER_UNREACHABLE: Final = "PEER_UNREACHABLE"
"""Reason of the alarm about a peer that has been out of reach for ALARM_MS."""

log = structlog.get_logger()


class Contact:
    """The contact with one peer."""

    def __init__(self, site: Site, peer: str) -> None:
        self._site, self._peer = site, peer
        self._noted = 0.0
        # when the failures without contact in between began, in Unix milliseconds
        self._failing_since: int | None = None
        self._told = 0

    async def began(self, told: int, asked: int) -> None:
        """Note that a stream began; for the times see ``note_peer_time``."""
        await in_thread(self._begin, told, asked)
        self._noted = time.monotonic()

    async def goes_on(self) -> None:
        """Note a heartbeat, unless the last note is young.

        Its time says nothing: it may have waited here while the quota was used up.
        """
        if time.monotonic() - self._noted >= CONTACT_SECONDS:
            await in_thread(self._go_on)
            self._noted = time.monotonic()

    async def failed(self, error: ComityError, *, anew: bool) -> None:
        """Keep an error for operators; ``anew`` starts over at the peer's first offer."""
        await in_thread(self._fail, error, anew)

    def _begin(self, told: int, asked: int) -> None:
        with self._site.store.write() as session:
            row, now = get_peer(session, self._peer), self._site.clock()
            note_peer_time(session, row, told, asked, now)
            clear_alarm(session, self._peer, PEER_UNREACHABLE)
            _note(session, row, now)
        self._failing_since, self._told = None, 0

    def _go_on(self) -> None:
        with self._site.store.write(counted=False) as session:
            _note(session, get_peer(session, self._peer), self._site.clock())

    def _fail(self, error: ComityError, anew: bool) -> None:
        with self._site.store.write(counted=False) as session:
            row = get_peer(session, self._peer)
            row.last_error = storable_message(f"{error.reason}: {error}")
            if anew:
                row.cursor = ""
            session.add(row)
            session.flush()
        self._tell(row, error)

    def _tell(self, row: PeerRow, error: ComityError) -> None:
        """Warn, and later raise an alarm, once each, of a peer that stays out of reach."""
        now = self._site.clock()
        self._failing_since = self._failing_since or now
        failing = now - self._failing_since
        last = format_time(to_datetime(row.contact_time)) if row.contact_time else "never"

        if failing >= WARN_MS and self._told < 1:
            self._told = 1
            log.warning("peer out of reach", peer=self._peer, last_contact=last, error=str(error))
        if failing >= ALARM_MS and self._told < 2:
            self._told = 2
            message = f"out of reach; last contact {last}; {error.reason}: {error}"
            with self._site.store.write() as session:
                raise_alarm(session, self._peer, PEER_UNREACHABLE, message, now)


def _note(session: WriteSession, row: PeerRow, now: int) -> None:
    row.contact_time, row.last_error = now, ""
    session.add(row)
    session.flush()
