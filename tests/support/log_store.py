"""Stores of the institute uk, and the leaves that tests append to its log."""

from __future__ import annotations

from comity.node.database.rows import last_number
from comity.node.database.store import Store
from comity.node.database.tables import LogEntryRow
from comity.node.log import tree

INSTITUTE = "uk.aisi.example"


def open_store(url: str) -> Store:
    """Open a database as the node of uk does."""
    store = Store(url)
    store.upgrade()
    store.claim(INSTITUTE)
    return store


def entry(number: int) -> tree.Entry:
    """Return the entry that tests append under a number."""
    return tree.Entry(f"{number:064x}", b"leaf %d" % number)


def grow(store: Store, count: int) -> int:
    """Append leaves in one transaction; return the index of the first."""
    with store.write() as session:
        size = tree.tree_size(session)
        return tree.append(session, [entry(size + i) for i in range(count)])


def append_entry(store: Store, record_id: str) -> None:
    """Write one row under the next number, as intake does."""
    with store.write() as session:
        index = last_number(session, LogEntryRow.log_index, default=-1) + 1
        session.add(LogEntryRow(log_index=index, record_id=record_id, leaf=b"leaf"))
