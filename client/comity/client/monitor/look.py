"""Monitoring: a look at an institute's log from outside, compared with all that was seen before.

(1) checkpoint     a key of the log, from a bundle at hand, signed it; it does not go back
(2) entries        the log's entries lead to its root (RFC 6962, section 2.1)
(3) consistency    the tree begins with that of the last look, and with that of our own node's
                   checkpoint
(4) records        each record that our own node received from the institute is in the log, once

Entries that match no received record belong to records that the institute did not show to us, or to
versions of its root. There may be any number of them, so they are counted and are no fault.

Invariants:

- A log contradicts itself only by what its key signed, compared with what the key signed before or
  with what our node received.
- Two signed checkpoints that contradict each other are kept as evidence that anyone can check.
- A look at one log never keeps the others waiting for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from comity.client.connection.node_client import NodeClient
from comity.client.monitor.comparison import ShownCheckpoint, compare, leads_to
from comity.client.monitor.entries import Progress, fetch_entries
from comity.client.monitor.received import match_received, received_records
from comity.client.monitor.report import LogFinding, Report
from comity.client.monitor.sources import LogSource
from comity.client.monitor.state import LogState, memory_name, opened
from comity.client.verify.trust import Trust
from comity.record.checkpoint import open_checkpoint
from comity.record.cosignature import cosignatures
from comity.record.errors import (
    BadCheckpoint,
    BadProof,
    BadSignature,
    BadTile,
    ComityError,
    UnknownKey,
)
from comity.record.limits import MAX_CHECKPOINT_BYTES
from comity.record.log import newest_log, origin, parse_origin
from comity.record.note import Note
from comity.v1 import audit_service_pb2 as pb

LOOK_SECONDS: Final = 3600.0
"""How long one look at a log may take; the next look goes on from there. So a log that is served as
slowly as possible does not keep the other logs from being looked at."""

_CONTRADICTIONS: Final = (BadSignature, BadCheckpoint, BadProof, BadTile)


class Monitor:
    """Looks at logs, and keeps what it saw in ``folder``.

    ``node`` is a client of our own node, None if there is none.
    """

    def __init__(self, trust: Trust, folder: Path, node: NodeClient | None, now: datetime) -> None:
        self._trust, self._folder, self._node, self._now = trust, folder, node, now
        self._witnessed: Mapping[str, pb.WitnessedLog] = {}

    async def prepare(self) -> None:
        """Ask our own node which checkpoints it witnessed, before any look.

        Raises:
            ComityError: the error that the node answers with.
        """
        if self._node:
            logs = await self._node.log.witnessed()
            self._witnessed = {log.origin: log for log in logs}

    async def look(self, name: str, source: LogSource, progress: Progress) -> Report:
        """Look at one log; never raises for anything that the log does or fails to do."""
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
        # (1) a key of the log signed the checkpoint
        now = ShownCheckpoint("what it shows now", await source.checkpoint())
        report.institute = self._signed_by(now, source.origin)
        report.size, report.cosigned = now.size, self._count_witnesses(now, report.institute)
        log_keys = self._trust.log_keys(report.institute)

        # a log and the one that took its place need not be consistent
        claimed = now.checkpoint.origin
        with opened(self._folder, memory_name(report.institute, claimed)) as state:
            # (1) the checkpoint does not go back
            last = ShownCheckpoint("what it showed last time", state.checkpoint(log_keys))
            held = self._witnessed.get(claimed)
            ours = ShownCheckpoint(
                "what it showed to our own node", held.checkpoint if held else b""
            )
            report.before = last.size
            if held and held.halted:
                message = f"our own node stopped: {held.halted:.500}"
                report.findings.append(LogFinding("HALTED", message))
            back = _rolled_back(now, last, ours)
            if back:
                report.findings.append(back)
                # the old entries tell whether the log went back to its own past, or to another
                if now.size < last.size and leads_to(state, last):
                    report.findings.extend(compare(state, now, last, log_keys))
                return

            # (2) the log's entries lead to its root
            await fetch_entries(state, source, now.checkpoint, progress)

            # (3) the tree begins with those of the checkpoints that were seen before
            for before in (last, ours):
                if before.note:
                    report.findings.extend(compare(state, before, now, log_keys))
            if not report.findings:
                state.keep(now.note)

            # (4) the records that our own node received are in the log
            if self._node:
                await self._check_records(report, state, self._node)

    def _signed_by(self, shown: ShownCheckpoint, named: str) -> str:
        """Return the institute whose log a checkpoint is of. A key of that log must have signed it.

        ``named`` is a log of the institute that was asked for, as far as that is known.
        """
        MAX_CHECKPOINT_BYTES.check(len(shown.note), "checkpoint")
        claimed = shown.checkpoint.origin
        log, asked = parse_origin(claimed), parse_origin(named)
        bundle = self._trust.bundle(log.institute) if log else None
        if asked and self._trust.bundle(asked.institute) not in (None, bundle):
            message = f"expected a checkpoint of {named}, got one of {claimed!r:.100}"
            raise BadCheckpoint(message, field="checkpoint.origin")
        if log is None or bundle is None:
            message = f"expected a log whose institute's bundle is at hand, got {claimed!r:.100}"
            raise UnknownKey(message)

        open_checkpoint(shown.note, self._trust.log_keys(log.institute))
        # a closed log proves nothing of what was published since
        newest = newest_log(log.institute, bundle.log_keys)
        if log.number < newest:
            message = f"expected a checkpoint of {origin(log.institute, newest)}"
            raise BadCheckpoint(f"{message}, got one of {claimed}, which is closed")
        return log.institute

    def _count_witnesses(self, shown: ShownCheckpoint, institute: str) -> int:
        """Return how many known witnesses cosigned a checkpoint of an institute's log."""
        found = cosignatures(Note.parse(shown.note), self._trust.witnesses(institute))
        return len({cosignature.witness.name for cosignature in found})

    async def _check_records(self, report: Report, state: LogState, node: NodeClient) -> None:
        """Add what our own node knows: split views of the log, and records received from it."""
        for view in await node.log.split_views(report.institute):
            message = "our own node holds evidence that it contradicted itself"
            evidence = state.keep_evidence(view.evidence)
            report.findings.append(LogFinding("SPLIT_VIEW", message, evidence))

        received = await received_records(node, report.institute)
        match_received(report, state, received, self._now)


def _rolled_back(
    now: ShownCheckpoint, last: ShownCheckpoint, ours: ShownCheckpoint
) -> LogFinding | None:
    """Return LOG_ROLLED_BACK if the log shows fewer entries than before."""
    for told, size in (("we saw", last.size), ("our own node saw", ours.size)):
        if now.size < size:
            message = f"shows {now.size} entries, but {told} {size} before"
            return LogFinding("LOG_ROLLED_BACK", message)
    return None
