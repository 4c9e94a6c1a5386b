"""Two running nodes, an auditor at one of them, and a log that its operator forged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlmodel import select

from comity.node.database.tables import (
    CheckpointRow,
    CosignatureRow,
    LogEntryRow,
    LogHeadRow,
    LogTileRow,
    RecordRow,
)
from comity.node.log import tree
from comity.node.log.tree import Entry
from comity.record.record import Record
from tests.support.command_line import Ended
from tests.support.drafts import card
from tests.support.network import Running, until


@dataclass
class MonitoredPair:
    """The United Kingdom's node and Canada's, and an auditor at the latter."""

    uk: Running
    ca: Running
    typed: Callable[..., Awaitable[Ended]]

    async def publish(self, *names: str, **more: Any) -> list[Record]:
        """Publish cards at uk, and wait until they are at ca and in a signed checkpoint."""
        records = [self.uk.sign(card(name, **more)) for name in names]
        self.uk.node.publish_all(records)
        await self.signed(self.uk)
        return records

    async def received(self, *records: Record) -> None:
        """Wait until records are at ca."""
        for record in records:
            await until(lambda r=record: self.ca.rows(RecordRow, record_id=r.record_id), "it at ca")  # type: ignore[misc]

    async def signed(self, one: Running) -> None:
        """Wait until a node's checkpoint covers its log."""
        await until(
            lambda: (
                max((row.size for row in one.rows(CheckpointRow)), default=0)
                == len(one.rows(LogEntryRow))
            ),
            "the checkpoint",
        )


def forge_log(one: Running, records: list[str]) -> None:
    """Put another log in place of a node's own, with what was signed of ``records`` and junk."""
    with one.node.store.write() as session:
        kept = [Entry(row.record_id, row.leaf) for row in session.exec(select(LogEntryRow))]
        for table in (LogEntryRow, LogTileRow, CheckpointRow, CosignatureRow, LogHeadRow):
            session.connection().execute(sa.delete(table))
        entries = [
            entry if entry.record_id in records else Entry(entry.record_id, b"junk")
            for entry in kept
        ]
        tree.append(session, entries)
    one.node.signer.sign()


def trusted(pair: MonitoredPair, folder: Path) -> str:
    """Write both bundles into a folder; return its name."""
    folder.mkdir()
    for one in (pair.uk, pair.ca):
        path = folder / f"{one.node.institute}.bundle.json"
        path.write_bytes(one.node.bundle.to_json())
    return str(folder)
