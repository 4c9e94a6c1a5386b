"""Notes for operators when a peer that is pulled from was in contact, and what went wrong.

Invariants: a stream on which nothing happens is noted once in CONTACT_SECONDS; what only people
read wakes nobody.
"""

from __future__ import annotations

import time
from typing import Final

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PeerRow
from comity.node.database.text import storable_message
from comity.node.replication.clock_skew import note_peer_time
from comity.node.server.threads import in_thread
from comity.node.trust.peers import get_peer
from comity.node.trust.site import Site
from comity.record.errors import ComityError

CONTACT_SECONDS: Final = 60
"""How far the time of the last contact, which operators see, may lag behind."""


class Contact:
    """The contact with one peer."""

    def __init__(self, site: Site, peer: str) -> None:
        self._site, self._peer = site, peer
        self._noted = 0.0

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
            _note(session, row, now)

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


def _note(session: WriteSession, row: PeerRow, now: int) -> None:
    row.contact_time, row.last_error = now, ""
    session.add(row)
    session.flush()
