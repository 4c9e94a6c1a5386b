"""Witnesses one peer's log, on the connection on which ``pull`` receives its records.

    (1) both nodes share the checkpoints that they have seen of other institutes' logs
    (2) the log shows its newest checkpoint, and the proof that it continues the held one
    (3) the checkpoint is cosigned, and the cosignatures are sent to the log (C2SP tlog-witness)
    (4) the log shows how the checkpoints fit that other peers have seen of it

The log is asked when a connection begins, when the peer tells of a new checkpoint, when another
peer's sighting of it waits, and at the latest after SILENT_SECONDS. What a peer tells only saves
questions: a log that is silent, or tells what is not so, is asked all the same, and one whose peer
never tells is asked every INTERVAL_SECONDS.

Invariants: no answer of the peer, and no missing one, holds up replication; a call takes at most
CALL_SECONDS; one pass checks at most MAX_CHECKS sightings; two passes that ask are at least
GATHER_SECONDS apart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import grpc
import structlog

from comity.client.connection.grpc_errors import from_peer
from comity.node.database.tables import SightingRow, WitnessedLogRow
from comity.node.server.background.log_proofs import CALL_SECONDS, LogProofs
from comity.node.server.threads import in_thread
from comity.node.server.wakeup import Bell
from comity.node.trust.peers import bundle_of, get_peer
from comity.node.trust.root_chains import newest_version
from comity.node.trust.site import Site
from comity.node.witness.consistency import take_newest_checkpoint
from comity.node.witness.gossip import (
    checkpoints_to_share,
    take_shared_checkpoints,
    unchecked_sightings,
)
from comity.node.witness.halting import WITNESS_RESTORED, witnessed_log
from comity.record.errors import BadProof, ComityError
from comity.record.log import LogName, newest_log
from comity.record.note import Note, SignatureLine
from comity.v1 import audit_service_pb2 as audit
from comity.v1 import audit_service_pb2_grpc as audit_rpc
from comity.v1 import exchange_service_pb2 as exchange
from comity.v1 import exchange_service_pb2_grpc as exchange_rpc

INTERVAL_SECONDS: Final = 5.0
"""Longest time between two questions where the peer does not tell of checkpoints."""

RETRY_SECONDS: Final = 5.0
"""Time after a question or a share that failed."""

SILENT_SECONDS: Final = 300.0
"""Longest time between two questions, and between two shares, whatever the peer tells."""

GATHER_SECONDS: Final = 1.0
"""Shortest time between two passes that ask the peer, so that many changes cause one."""

MAX_CHECKS: Final = 8
"""Sightings that are checked in one pass; each may need some tiles of the log."""

log = structlog.get_logger()


class _Told(NamedTuple):
    """What a peer tells of its log: how many leaves are signed, and under which root."""

    log_size: int
    root_version: int


class Witnessing:
    """Witnesses one peer's log over an open channel.

    ``bell`` is a branch of the node's bell.
    """

    def __init__(self, site: Site, peer: str, channel: grpc.aio.Channel, bell: Bell) -> None:
        self._site, self._peer, self._bell = site, peer, bell
        self._audit = audit_rpc.AuditServiceStub(channel)
        self._proofs = LogProofs(site, peer, channel)
        self._exchange = exchange_rpc.ExchangeServiceStub(channel)
        self._told: _Told | None = None
        self._question: tuple[_Told | None, int, str, int] | None = None
        self._ask_again = self._share_again = self._called = 0.0
        self._shared: list[bytes] = []
        self._logged: dict[str, str] = {}
        self._log = log.bind(peer=peer)

    def hear(self, message: exchange.ReplicateResponse) -> None:
        """Take note of what a message of the stream tells about the log."""
        if not message.HasField("log_size"):
            return
        told = _Told(message.log_size, message.root_version)
        if told != self._told:
            self._told = told
            self._bell.ring()

    async def run(self) -> None:
        """Make one pass after another, until cancelled."""
        while True:
            # read before the pass: what changes meanwhile causes the next one
            heard = self._bell.rings
            await self._attempt("share", self._share)
            await self._attempt("witness", self._witness)

            # a pass that asked the peer nothing delays the next one only a little
            gathered = time.monotonic() - self._called
            await asyncio.sleep(max(GATHER_SECONDS - gathered, GATHER_SECONDS / 10))
            due = min(self._ask_again, self._share_again)
            await self._bell.wait(heard, max(due - time.monotonic(), 0))

    async def _attempt(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except grpc.RpcError as error:
            self._log_once(name, from_peer(error, self._peer))
        except ComityError as error:
            self._log_once(name, error)
        except Exception:  # noqa: BLE001  logged with its traceback; the next attempt follows
            self._log.exception("witnessing failed", step=name)
        else:
            self._logged.pop(name, None)

    def _log_once(self, step: str, error: ComityError) -> None:
        # a peer that fails in each pass does not fill the log output
        if self._logged.get(step) != str(error):
            self._logged[step] = str(error)
            self._log.info("not witnessed", step=step, reason=error.reason, error=str(error))

    async def _share(self) -> None:
        """Exchange the checkpoints of other institutes' logs with the peer: (1)."""
        held, now = await in_thread(checkpoints_to_share, self._site), time.monotonic()
        if held == self._shared and now < self._share_again:
            return

        self._called, self._share_again = now, now + RETRY_SECONDS
        request = exchange.ShareCheckpointsRequest(checkpoints=held)
        answer = await self._exchange.ShareCheckpoints(request, timeout=CALL_SECONDS)
        self._shared, self._share_again = held, now + SILENT_SECONDS
        await in_thread(take_shared_checkpoints, self._site, self._peer, list(answer.checkpoints))

    async def _witness(self) -> None:
        """Take the newest checkpoint of the log, and cosign it: (2) to (4)."""
        # what is told and seen is read before the log is asked, so that its answer is not older
        told, now = self._told, time.monotonic()
        row, sightings, root_version = await in_thread(self._look)
        # our own root too: it may bring a new key to cosign with; the peer's may name a new log
        question = told, row.log_number, row.halted, root_version
        if question == self._question and not sightings and now < self._ask_again:
            return

        # an unsigned log is not asked again and again
        patient = told is not None and told.log_size == 0
        self._question, self._called = question, now
        self._ask_again = now + (SILENT_SECONDS if patient else RETRY_SECONDS)
        await self._ask(row, sightings)
        self._ask_again = now + (INTERVAL_SECONDS if told is None else SILENT_SECONDS)

    async def _ask(self, row: WitnessedLogRow, sightings: Sequence[SightingRow]) -> None:
        # after a restore the log is asked although it is halted, so that no memory is missing
        if row.halted and not row.halted.startswith(WITNESS_RESTORED):
            return

        # (2) the newest checkpoint, and its proof (RFC 6962, section 2.1.2)
        request = audit.GetCheckpointRequest(old_size=row.size)
        shown = await self._audit.GetCheckpoint(request, timeout=CALL_SECONDS)
        data, proof, site = shown.checkpoint, list(shown.consistency), self._site
        which = LogName(self._peer, row.log_number)
        try:
            seen, lines = await in_thread(
                take_newest_checkpoint, site, which, row.size, data, proof
            )
        except BadProof as error:
            if row.note:
                held, newest = Note.parse(row.note), Note.parse(data)
                await self._proofs.halt_unless_consistent(which, held, newest, error)
            raise

        # (3) our cosignatures, for the log to publish
        await self._send_cosignatures(seen.checkpoint.size, lines)

        # (4) what other peers have seen of this log
        for sighting in sightings:
            await self._proofs.ask_for_proof(sighting, seen)

    def _look(self) -> tuple[WitnessedLogRow, list[SightingRow], int]:
        with self._site.store.read() as session:
            bundle = bundle_of(get_peer(session, self._peer))
            row = witnessed_log(session, self._peer, newest_log(self._peer, bundle.log_keys))
            sightings = unchecked_sightings(session, self._peer, MAX_CHECKS)
            return row, sightings, newest_version(session, self._site.institute)

    async def _send_cosignatures(self, size: int, lines: Sequence[SignatureLine]) -> None:
        for line in lines:
            cosignature = f"{line}\n".encode()
            request = exchange.AddCosignatureRequest(size=size, cosignature=cosignature)
            await self._exchange.AddCosignature(request, timeout=CALL_SECONDS)
        if lines:
            self._log.info("cosigned", size=size)
