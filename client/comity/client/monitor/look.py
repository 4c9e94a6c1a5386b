"""Monitoring: looks at an institute's log from outside, and compares it with all that was seen.

(1) checkpoint     a key of the log, from a bundle at hand, signed it; it does not go back
(2) entries        all of them lead to its root (RFC 6962, section 2.1)
(3) consistency    so do those before, at the last look and in what one's own node witnessed
(4) records        each one that one's node received from the institute stands in the log, once

What is left over is what the institute issued and did not show to us; that there is such a number
is meant, and no fault (versions of its root, which are logged as well, count among it).

Invariants: only what a log's key signed, against what it signed before or was received, makes a log
contradict itself; where two signed checkpoints do, that is kept as evidence which anyone can check.
A look at one log never keeps the others waiting for long.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from comity.client.connection.node_client import NodeClient
from comity.client.monitor.report import LogFinding, Report
from comity.client.monitor.sources import TILES_AT_ONCE, LogSource
from comity.client.monitor.state import MAX_MONITORED_ENTRIES, UNREADABLE, LogState, opened
from comity.client.verify.trust import Trust
from comity.record.checkpoint import Checkpoint, open_checkpoint
from comity.record.cosignature import cosignatures
from comity.record.envelope import pae
from comity.record.errors import (
    BadCheckpoint,
    BadProof,
    BadSignature,
    BadTile,
    ComityError,
    UnknownKey,
)
from comity.record.limits import MAX_CHECKPOINT_BYTES
from comity.record.log import origin
from comity.record.merkle import consistency_proof, root
from comity.record.note import Note
from comity.record.split_view import SplitView
from comity.record.tile import ENTRIES, TILE_WIDTH, Tile
from comity.v1 import audit_service_pb2 as pb

MERGE_SECONDS: Final = 60
"""How long after it came a record may be missing from a checkpoint, which is signed every second
or so: several times what a busy node needs."""

LOOK_SECONDS: Final = 3600.0
"""How long one look at a log may take; the next one goes on where it was. Whoever serves a log as
slowly as it can does not keep the other logs from being looked at."""

_CONTRADICTIONS: Final = (BadSignature, BadCheckpoint, BadProof, BadTile)


class _Shown(NamedTuple):
    """A checkpoint that a log showed, empty if none, and how to tell of it."""

    told: str
    note: bytes


class _Seen(NamedTuple):
    """A record that one's own node received, and when (UTC)."""

    record_id: str
    received_time: datetime


Progress = Callable[[int, int], None]
"""Is told how many entries were fetched so far, and of how many."""


class Monitor:
    """Looks at logs; keeps what it saw in ``folder``. ``node`` is one's own, if there is one."""

    def __init__(self, trust: Trust, folder: Path, node: NodeClient | None, now: datetime) -> None:
        self._trust, self._folder, self._node, self._now = trust, folder, node, now
        self._witnessed: Mapping[str, pb.WitnessedLog] = {}

    async def prepare(self) -> None:
        """Ask one's own node what it has witnessed, before any log is looked at.

        Raises:
            ComityError: what it answers.
        """
        if self._node:
            logs = await self._node.log.witnessed()
            self._witnessed = {log.institute: log for log in logs}

    async def look(self, name: str, source: LogSource, progress: Progress) -> Report:
        """Look at one log; never raises for anything that the log does, or does not."""
        report = Report(name)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._look(report, source, progress)
        except _CONTRADICTIONS as error:
            report.findings.append(LogFinding(error.reason, str(error)))
        except ComityError as error:
            report.problem = str(error)
        except TimeoutError:
            report.problem = f"not through after {LOOK_SECONDS:.0f} s; the next look goes on"
        return report

    async def _look(self, report: Report, source: LogSource, progress: Progress) -> None:
        note = await source.checkpoint()
        institute, checkpoint = self._open(note, source.origin)
        report.institute, report.size = institute, checkpoint.size
        witnesses = self._trust.witnesses(institute)
        cosigned = cosignatures(Note.parse(note), witnesses)
        report.cosigned = len({found.witness.name for found in cosigned})
        with opened(self._folder, institute) as state:
            last = _Shown("what it showed last time", state.checkpoint or b"")
            now = _Shown("what it shows now", note)
            report.before = _unsigned(last.note).size if last.note else 0
            if self._goes_back(report, checkpoint):
                if checkpoint.size < report.before and _leads_to(state, last.note):
                    self._compare(report, state, now, last)
                return
            await _Entries(state, source, progress).fetch(checkpoint)
            held = self._witnessed.get(institute)
            ours = _Shown("what it showed to our own node", held.checkpoint if held else b"")
            for before in (last, ours):
                if before.note:
                    self._compare(report, state, before, now)
            if not report.findings:
                state.keep(note)
            if self._node:
                await self._match(report, state, self._node)

    def _open(self, note: bytes, named: str) -> tuple[str, Checkpoint]:
        """Return whose log a checkpoint is of, which a key of that log has signed.

        ``named`` is the log that was asked for, as far as that is known.
        """
        MAX_CHECKPOINT_BYTES.check(len(note), "checkpoint")
        claimed = _unsigned(note).origin
        known = {origin(bundle.institute) for bundle in self._trust.bundles}
        if named in known and claimed != named:
            message = f"expected a checkpoint of {named}, got one of {claimed!r:.100}"
            raise BadCheckpoint(message, field="checkpoint.origin")
        for bundle in self._trust.bundles:
            if claimed == origin(bundle.institute):
                keys = self._trust.log_keys(bundle.institute)
                checkpoint, _ = open_checkpoint(note, keys)
                return bundle.institute, checkpoint
        raise UnknownKey(
            f"expected a log whose institute's bundle is at hand, got {claimed!r:.100}"
        )

    def _goes_back(self, report: Report, checkpoint: Checkpoint) -> bool:
        held = self._witnessed.get(report.institute)
        if held and held.halted:
            report.findings.append(
                LogFinding("HALTED", f"our own node stopped: {held.halted:.500}")
            )
        witnessed = _unsigned(held.checkpoint).size if held else 0
        for told, size in (("we saw", report.before), ("our own node saw", witnessed)):
            if checkpoint.size < size:
                message = f"shows {checkpoint.size} entries, but {told} {size} before"
                report.findings.append(LogFinding("LOG_ROLLED_BACK", message))
                return True
        return False

    def _compare(self, report: Report, state: LogState, smaller: _Shown, larger: _Shown) -> None:
        """Check that a checkpoint begins the tree of a larger one, to whose root the entries lead.

        Both are known to be signed. What a key signed that the log's bundle does not list any more
        contradicts all the same; only who still knows that key can check the evidence.
        """
        before, after = _unsigned(smaller.note), _unsigned(larger.note)
        found = root(before.size, state.read)
        if found == before.root:
            return
        same = before.size == after.size
        proof = [] if same else consistency_proof(before.size, after.size, state.read)
        notes = Note.parse(smaller.note), Note.parse(larger.note)
        view = SplitView.of(*notes, b"" if same else found, proof)
        message = f"{smaller.told}, of {before.size} entries, does not begin {larger.told}"
        try:
            view.check(self._trust.log_keys(report.institute))
        except UnknownKey:
            message += "; one is signed with a key that its bundle does not list any more"
        evidence = self._keep_evidence(report.institute, view.to_json())
        report.findings.append(LogFinding("SPLIT_VIEW", message, evidence))

    def _keep_evidence(self, institute: str, evidence: bytes) -> Path:
        digest = hashlib.sha256(evidence).hexdigest()[:12]
        path = self._folder / f"{institute}.{digest}.split-view.json"
        path.write_bytes(evidence)
        return path

    async def _match(self, report: Report, state: LogState, node: NodeClient) -> None:
        """Look for what our own node received in the log."""
        for view in await node.log.split_views(report.institute):
            evidence = self._keep_evidence(report.institute, view.evidence)
            message = "our own node holds evidence that it contradicted itself"
            report.findings.append(LogFinding("SPLIT_VIEW", message, evidence))
        received = await _received(node, report.institute)
        counts = state.tally(received, report.size)
        latest = self._now - timedelta(seconds=MERGE_SECONDS)
        report.shown, report.pending = 0, 0
        for digest, result in received.items():
            report.shown += counts[digest] > 0
            if counts[digest] > 1:
                message = f"record {result.record_id} is in the log {counts[digest]} times"
                report.findings.append(LogFinding("LOGGED_TWICE", message))
            elif not counts[digest] and result.received_time > latest:
                report.pending += 1
            elif not counts[digest]:
                message = f"record {result.record_id}, which we received, is not in the log"
                report.findings.append(LogFinding("NOT_LOGGED", message))
        if counts[UNREADABLE]:
            message = f"{counts[UNREADABLE]} entries are no hashedrekord 0.0.2"
            report.findings.append(LogFinding("BAD_ENTRY", message))


class _Entries:
    """Fetches what is missing of a log's entries."""

    def __init__(self, state: LogState, source: LogSource, progress: Progress) -> None:
        self._state, self._source, self._progress = state, source, progress

    async def fetch(self, checkpoint: Checkpoint) -> None:
        """Fetch entries until they lead to the checkpoint's root.

        What was fetched before is not fetched again, unless it is why they do not.

        Raises:
            LimitExceeded: more than MAX_MONITORED_ENTRIES.
            BadProof: all of them, fetched anew, lead to another root.
        """
        size = checkpoint.size
        MAX_MONITORED_ENTRIES.check(size, "log")
        await self._fetch(size)
        if root(size, self._state.read) == checkpoint.root:
            return
        self._state.cut(0)
        await self._fetch(size)
        found = root(size, self._state.read)
        if found != checkpoint.root:
            self._state.cut(0)
            message = f"expected entries that lead to {checkpoint.root.hex()}, got {found.hex()}"
            raise BadProof(message, field="entries")

    async def _fetch(self, size: int) -> None:
        while (have := self._state.count) < size:
            first = have // TILE_WIDTH
            end = min(first + TILES_AT_ONCE, -(-size // TILE_WIDTH))
            tiles = [
                Tile(ENTRIES, index, min(TILE_WIDTH, size - index * TILE_WIDTH))
                for index in range(first, end)
            ]
            found = [entry for tile in await self._source.entries(tiles) for entry in tile]
            self._state.append(found[have % TILE_WIDTH :])
            self._progress(self._state.count, size)


async def _received(node: NodeClient, institute: str) -> dict[bytes, _Seen]:
    """Return what a node received of an institute, by the digest that the log holds of it."""
    found: dict[bytes, _Seen] = {}
    async for result in node.search(issuers=[institute], include_superseded=True):
        envelope = result.opened.record.envelope
        signed = pae(envelope.payload_type, envelope.payload)
        # only this much is kept: a node may hold more than fits into memory
        found[hashlib.sha256(signed).digest()] = _Seen(result.record_id, result.received_time)
    return found


def _leads_to(state: LogState, note: bytes) -> bool:
    """Say whether the entries that are remembered lead to a checkpoint's root."""
    checkpoint = _unsigned(note)
    whole = state.count >= checkpoint.size
    return whole and root(checkpoint.size, state.read) == checkpoint.root


def _unsigned(note: bytes) -> Checkpoint:
    """Return what a note says that was checked before, or is yet to be."""
    return Checkpoint.parse(Note.parse(note).text)
