"""Lets a peer's log prove, by its tiles, that it is consistent with all that it signed.

Invariants: a log is halted if it refuses the proof or shows a wrong one, and never because a
connection was lost or a node is busy; a proof that stays out for PATIENCE_MS raises an alarm; each
call takes at most CALL_SECONDS, and asks for at most MAX_TILES.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import grpc

from comity.client.connection.grpc_errors import from_peer
from comity.node.database.alarms import raise_alarm
from comity.node.database.tables import SightingRow
from comity.node.log.head import LOG_INCONSISTENT, LOG_ROLLED_BACK, LOG_UNPROVEN
from comity.node.log.proofs import MAX_TILES
from comity.node.server.threads import in_thread
from comity.node.trust.site import Site
from comity.node.witness.consistency import (
    check_sighting,
    find_evidence,
    halt_log,
    halt_split_log,
    needed_tiles,
)
from comity.node.witness.seen_checkpoints import SeenCheckpoint
from comity.record.checkpoint import Checkpoint
from comity.record.errors import (
    BadProof,
    BadTile,
    ComityError,
    InvalidInput,
    LimitExceeded,
    NotFound,
)
from comity.record.log import LogName
from comity.record.note import Note
from comity.record.tile import Tile
from comity.v1 import audit_service_pb2 as audit
from comity.v1 import audit_service_pb2_grpc as audit_rpc

CALL_SECONDS: Final = 10
"""Longest time that a peer may take for one answer."""

PATIENCE_MS: Final = 600_000
"""Age of a sighting, in milliseconds, from which a log that shows no proof raises an alarm."""


class LogProofs:
    """Asks the log of ``peer`` for proofs, over an open channel."""

    def __init__(self, site: Site, peer: str, channel: grpc.aio.Channel) -> None:
        self._site, self._peer = site, peer
        self._stub = audit_rpc.AuditServiceStub(channel)

    async def ask_for_proof(self, sighting: SightingRow, seen: SeenCheckpoint) -> None:
        """Let the log prove how a sighting fits ``seen``, its newest checkpoint.

        Raises:
            ComityError: it did not so far, perhaps not by its own fault.
        """
        size, shown = sighting.size, seen.checkpoint.size
        # a log never shrinks (invariant 8)
        if size > shown:
            message = f"signed {size} leaves, as {sighting.teller} tells, and shows {shown}"
            await in_thread(halt_log, self._site, seen.log, LOG_ROLLED_BACK, message)
            return

        try:
            tiles = await self._fetch_tiles(needed_tiles(size, shown))
            await in_thread(check_sighting, self._site, sighting, seen.note, tiles)
        except ComityError as error:
            if _is_refusal(error):
                message = f"shows no proof for {size} leaves that it signed: {error}"
                await in_thread(halt_log, self._site, seen.log, LOG_INCONSISTENT, message)
                return
            # a lost connection or a busy node is no fault of the log, but not for ever
            if self._site.clock() - sighting.told_time > PATIENCE_MS:
                await in_thread(self._raise_unproven, sighting, error)
            raise

    async def halt_unless_consistent(
        self, log: LogName, held: Note, shown: Note, fault: BadProof
    ) -> None:
        """Halt a ``log`` whose proof, from the held checkpoint to the shown one, had a ``fault``.

        If its tiles show that it contradicted itself, the evidence is kept. If they show that it
        did not, only the proof was wrong, and the log is not halted.
        """
        sizes = (Checkpoint.parse(note.text).size for note in (held, shown))
        try:
            tiles = await self._fetch_tiles(needed_tiles(*sizes))
            found = await in_thread(find_evidence, self._site, self._peer, held, shown, tiles)
        except ComityError as error:
            # without tiles there is no evidence, but the log owed a proof that holds
            message = f"does not continue what it signed: {fault}; its tiles: {error}"
            await in_thread(halt_log, self._site, log, LOG_INCONSISTENT, message)
        else:
            if found is not None:
                await in_thread(halt_split_log, self._site, found)

    def _raise_unproven(self, sighting: SightingRow, error: ComityError) -> None:
        what = f"{sighting.size} leaves that {sighting.teller} tells of"
        message = f"no proof so far for {what}: {error}"
        with self._site.store.write() as session:
            raise_alarm(session, self._peer, LOG_UNPROVEN, message, self._site.clock())

    async def _fetch_tiles(self, tiles: Sequence[Tile]) -> dict[Tile, bytes]:
        """Return tiles of the log (C2SP tlog-tiles), at most MAX_TILES in one call."""
        found: list[bytes] = []
        for start in range(0, len(tiles), MAX_TILES):
            paths = [tile.path for tile in tiles[start : start + MAX_TILES]]

            try:
                request = audit.GetTilesRequest(paths=paths)
                answer = await self._stub.GetTiles(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                raise from_peer(error, self._peer) from error
            if len(answer.tiles) != len(paths):
                message = f"expected {len(paths)} tiles, got {len(answer.tiles)}"
                raise BadTile(message, field="tiles")
            found.extend(answer.tiles)

        return dict(zip(tiles, found, strict=True))


def _is_refusal(error: ComityError) -> bool:
    """True if the log itself refused, rather than the connection or a node under load."""
    return isinstance(error, InvalidInput | NotFound) and not isinstance(error, LimitExceeded)
