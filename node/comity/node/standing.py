"""Standing: what the node knows of a peer's reciprocity, by kind of record.

Received are records that the peer issued and this node stores; given are records issued here that
were released to it. Relayed records count for neither side. Invariant: counters change in the
transaction that changes what they count.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from sqlalchemy import insert, update
from sqlmodel import Session, col, select

from comity.node import tables
from comity.policies.facts import Standing
from comity.record.content import Kind

Column = Literal["received", "given"]


def load_standing(session: Session, peer: str) -> Standing:
    """Return a peer's standing as policy sees it."""
    query = select(tables.Standing).where(tables.Standing.peer == peer)
    rows = {Kind(row.kind): row for row in session.exec(query)}
    return Standing(
        received={kind: row.received for kind, row in rows.items()},
        given={kind: row.given for kind, row in rows.items()},
    )


def add_standing(session: Session, column: Column, counts: Counter[tuple[str, str]]) -> None:
    """Add to a counter, by (peer, kind)."""
    table = tables.Standing
    for (peer, kind), count in counts.items():
        change = update(table).where(col(table.peer) == peer, col(table.kind) == kind)
        current = getattr(table, column)
        done = session.connection().execute(change.values({column: current + count}))
        if done.rowcount == 0:
            row = {"peer": peer, "kind": kind, "received": 0, "given": 0}
            session.connection().execute(insert(table), [row | {column: count}])
