"""Step (4) of a look: is each record that our own node received in its issuer's log, once?

An entry holds the digest of the bytes that the record's key signed, so a record is found by that
digest (Rekor v2 hashedrekord 0.0.2; DSSE v1, PAE).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from comity.client.connection.node_client import NodeClient
from comity.client.monitor.report import LogFinding, Report
from comity.client.monitor.state import UNREADABLE, LogState
from comity.record.envelope import pae

MERGE_SECONDS: Final = 60
"""How long after its arrival a record may be missing from a checkpoint. Nodes sign one every second
or so; this is several times what a busy node needs."""


class ReceivedRecord(NamedTuple):
    """A record that our own node received, and when (UTC)."""

    record_id: str
    received_time: datetime


async def received_records(node: NodeClient, institute: str) -> dict[bytes, ReceivedRecord]:
    """Return the records of an institute that a node received, by the digest in the log's entry."""
    found: dict[bytes, ReceivedRecord] = {}
    async for result in node.search(issuers=[institute], include_superseded=True):
        envelope = result.opened.record.envelope
        signed = pae(envelope.payload_type, envelope.payload)
        digest = hashlib.sha256(signed).digest()
        # only this much is kept: a node may hold more records than fit into memory
        found[digest] = ReceivedRecord(result.record_id, result.received_time)
    return found


def match_received(
    report: Report, state: LogState, received: Mapping[bytes, ReceivedRecord], now: datetime
) -> None:
    """Look for the received records in the log; put counts and findings into the report."""
    counts = state.tally(received, report.size)
    latest = now - timedelta(seconds=MERGE_SECONDS)
    report.shown, report.pending = 0, 0

    for digest, record in received.items():
        report.shown += counts[digest] > 0
        if counts[digest] > 1:
            message = f"record {record.record_id} is in the log {counts[digest]} times"
            report.findings.append(LogFinding("LOGGED_TWICE", message))
        elif not counts[digest] and record.received_time > latest:
            report.pending += 1
        elif not counts[digest]:
            message = f"record {record.record_id}, which we received, is not in the log"
            report.findings.append(LogFinding("NOT_LOGGED", message))

    if counts[UNREADABLE]:
        message = f"{counts[UNREADABLE]} entries are no hashedrekord 0.0.2"
        report.findings.append(LogFinding("BAD_ENTRY", message))
