"""Witnessing one peer's log, beside the stream on which its records come.

One pass on the connection of ``pull``:

    (1) the two nodes tell each other the checkpoints that they have seen of other logs
    (2) the peer's log shows its newest checkpoint, and the proof that it continues the one held
    (3) if the proof holds, the checkpoint is kept, cosigned, and the cosignature handed over
    (4) checkpoints of this log that other peers told of are checked against the one it showed

Invariants: nothing here holds up replication, whatever the peer answers or leaves unanswered; a
call takes CALL_SECONDS at most, one pass checks MAX_CHECKS sightings; the peer is asked again at
most every GATHER_SECONDS; no checkpoint is cosigned that does not continue the one held
(invariant 8).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import grpc
import structlog

from comity.client.connection.grpc_errors import from_rpc
from comity.node.database.alarms import raise_alarm
from comity.node.database.tables import SightingRow, WitnessedLogRow
from comity.node.log.checkpoints import LOG_INCONSISTENT
from comity.node.log.proofs import MAX_TILES
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import Bell
from comity.node.trust.site import Site
from comity.node.witness.consistency import (
    LOG_UNPROVEN,
    accuse,
    accuse_split,
    examine,
    find_evidence,
    needed_tiles,
    take_shown,
)
from comity.node.witness.cosigning import Seen
from comity.node.witness.gossip import hear, open_sightings, tell
from comity.node.witness.halting import LOG_ROLLED_BACK, WITNESS_RESTORED, witnessed_log
from comity.record.checkpoint import Checkpoint
from comity.record.errors import (
    BadProof,
    BadTile,
    ComityError,
    InvalidInput,
    LimitExceeded,
    NotFound,
)
from comity.record.note import Note, SignatureLine
from comity.record.tile import Tile
from comity.v1 import audit_service_pb2 as audit
from comity.v1 import audit_service_pb2_grpc as audit_rpc
from comity.v1 import exchange_service_pb2 as exchange
from comity.v1 import exchange_service_pb2_grpc as exchange_rpc

INTERVAL_SECONDS: Final = 5.0
"""How late a new checkpoint is noticed that comes without records for us."""

GATHER_SECONDS: Final = 1.0
"""Batches that come within this time are followed by one question about the log."""

CALL_SECONDS: Final = 10
"""How long the peer may take for one answer."""

SHARE_SECONDS: Final = 60.0
"""How often checkpoints are sent again if none is new: the answer may hold the peer's new ones."""

MAX_CHECKS: Final = 8
"""Sightings checked in one pass: each may need some tiles of the log."""

PATIENCE_MS: Final = 600_000
"""How long a log that does answer may fail to prove a checkpoint that it signed."""

log = structlog.get_logger()


class Witnessing:
    """The work of witnessing one peer's log over an open channel.

    ``batches`` rings when records came, since the peer's log has then grown.
    """

    def __init__(self, site: Site, peer: str, channel: grpc.aio.Channel, batches: Bell) -> None:
        self._site, self._peer, self._batches = site, peer, batches
        self._audit = audit_rpc.AuditServiceStub(channel)
        self._exchange = exchange_rpc.ExchangeServiceStub(channel)
        self._told: list[bytes] | None = None
        self._told_at = 0.0
        self._complaints: dict[str, str] = {}
        self._log = log.bind(peer=peer)

    async def run(self) -> None:
        """Make one pass after another, until cancelled."""
        while True:
            heard = self._batches.rings
            await self._attempt("share", self._share)
            await self._attempt("witness", self._witness)

            await asyncio.sleep(min(GATHER_SECONDS, INTERVAL_SECONDS))
            await self._batches.wait(heard, INTERVAL_SECONDS)

    async def _attempt(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except grpc.RpcError as error:
            self._complain(name, from_rpc(error))
        except ComityError as error:
            self._complain(name, error)
        except Exception:  # noqa: BLE001  logged with its traceback; the next attempt follows
            self._log.exception("witnessing failed", step=name)
        else:
            self._complaints.pop(name, None)

    def _complain(self, step: str, error: ComityError) -> None:
        """Log an error, but not again while it stays the same."""
        if self._complaints.get(step) != str(error):
            self._complaints[step] = str(error)
            self._log.info("not witnessed", step=step, reason=error.reason, error=str(error))

    async def _share(self) -> None:
        # (1)
        told, now = await in_thread(tell, self._site), time.monotonic()
        if told == self._told and now - self._told_at < SHARE_SECONDS:
            return

        request = exchange.ShareCheckpointsRequest(checkpoints=told)
        answer = await self._exchange.ShareCheckpoints(request, timeout=CALL_SECONDS)
        self._told, self._told_at = told, now
        await in_thread(hear, self._site, self._peer, list(answer.checkpoints))

    async def _witness(self) -> None:
        # sightings are read before the log is asked, so that no sighting is newer than its answer
        row, sightings = await in_thread(self._look)
        if row.halted and not row.halted.startswith(WITNESS_RESTORED):
            return

        # (2)
        request = audit.GetCheckpointRequest(old_size=row.size)
        shown = await self._audit.GetCheckpoint(request, timeout=CALL_SECONDS)
        data, proof, site = shown.checkpoint, list(shown.consistency), self._site

        # (3)
        try:
            seen, lines = await in_thread(take_shown, site, self._peer, row.size, data, proof)
        except BadProof as error:
            if row.note:
                await self._accuse_inconsistent(Note.parse(row.note), Note.parse(data), error)
            raise
        await self._hand_over(seen.checkpoint.size, lines)

        # (4)
        for told in sightings:
            await self._check(told, seen)

    def _look(self) -> tuple[WitnessedLogRow, list[SightingRow]]:
        with self._site.store.read() as session:
            row = witnessed_log(session, self._peer)
            return row, open_sightings(session, self._peer, MAX_CHECKS)

    async def _hand_over(self, size: int, lines: Sequence[SignatureLine]) -> None:
        for line in lines:
            cosignature = f"{line}\n".encode()
            request = exchange.AddCosignatureRequest(size=size, cosignature=cosignature)
            await self._exchange.AddCosignature(request, timeout=CALL_SECONDS)
        if lines:
            self._log.info("cosigned", size=size)

    async def _check(self, told: SightingRow, seen: Seen) -> None:
        """Check that a checkpoint which a peer told of fits the one that the log showed to us."""
        shown = seen.checkpoint.size
        if told.size > shown:
            message = f"signed {told.size} leaves, as {told.teller} tells, and shows {shown}"
            await self._accuse(LOG_ROLLED_BACK, message)
            return

        # a refusal is the log's own word; an answer that stays out may be the fault of the line
        try:
            tiles = await self._tiles(needed_tiles(told.size, shown))
            await in_thread(examine, self._site, told, seen.note, tiles)
        except ComityError as error:
            if _is_refusal(error):
                message = f"shows no proof for {told.size} leaves that it signed: {error}"
                await self._accuse(LOG_INCONSISTENT, message)
                return
            if self._site.clock() - told.told_time > PATIENCE_MS:
                await in_thread(self._raise_unproven, told, error)
            raise

    async def _accuse_inconsistent(self, held: Note, shown: Note, fault: BadProof) -> None:
        """Halt a log that did not prove that it continues the note held, with evidence if any."""
        sizes = (Checkpoint.parse(note.text).size for note in (held, shown))
        try:
            tiles = await self._tiles(needed_tiles(*sizes))
            found = await in_thread(find_evidence, self._site, self._peer, held, shown, tiles)
        except ComityError as error:
            message = f"does not continue what it signed: {fault}; its tiles: {error}"
            await self._accuse(LOG_INCONSISTENT, message)
        else:
            if found is not None:
                await in_thread(accuse_split, self._site, self._peer, found)

    async def _accuse(self, reason: str, message: str) -> None:
        await in_thread(accuse, self._site, self._peer, reason, message)

    def _raise_unproven(self, told: SightingRow, error: ComityError) -> None:
        message = f"no proof so far for {told.size} leaves that {told.teller} tells of: {error}"
        with self._site.store.write() as session:
            raise_alarm(session, self._peer, LOG_UNPROVEN, message, self._site.clock())

    async def _tiles(self, tiles: Sequence[Tile]) -> dict[Tile, bytes]:
        found: list[bytes] = []
        for start in range(0, len(tiles), MAX_TILES):
            paths = [tile.path for tile in tiles[start : start + MAX_TILES]]

            try:
                request = audit.GetTilesRequest(paths=paths)
                answer = await self._audit.GetTiles(request, timeout=CALL_SECONDS)
            except grpc.RpcError as error:
                raise from_rpc(error) from error

            if len(answer.tiles) != len(paths):
                message = f"expected {len(paths)} tiles, got {len(answer.tiles)}"
                raise BadTile(message, field="tiles")
            found.extend(answer.tiles)
        return dict(zip(tiles, found, strict=True))


def _is_refusal(error: ComityError) -> bool:
    """True if the log itself refuses, and the error is no matter of the line or of load."""
    return isinstance(error, InvalidInput | NotFound) and not isinstance(error, LimitExceeded)
