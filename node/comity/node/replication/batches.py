"""A batch: what goes over the stream at a time, and what one receipt and one cursor cover."""

from __future__ import annotations

from dataclasses import dataclass

from comity.node.records.quarantine import Refusal
from comity.record.record import Record


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of consecutive offers, and the sender's cursors before the first and after the last.

    Each record comes with the disclosures that are offered here, and no others. ``refused`` are
    offers of a peer of which no record can be read; this node never sends any.
    """

    records: tuple[Record, ...]
    previous_cursor: str
    cursor: str
    refused: tuple[Refusal, ...] = ()
