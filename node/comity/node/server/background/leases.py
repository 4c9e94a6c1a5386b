"""Leases: of the processes that share a database, one at a time does a piece of background work.

Invariant: two processes never hold the same lease, provided that their clocks differ by less than
its life; a process that died gives way when its lease expires.
"""

from __future__ import annotations

from typing import Final

from comity.node.database.sessions import WriteSession
from comity.node.database.tables import LeaseRow

LEASE_MS: Final = 15_000
"""Life of a lease, in which it is renewed three times; a crash delays the work by at most this."""


def hold(session: WriteSession, name: str, holder: str, now: int) -> bool:
    """Take or renew a lease; False if another holder has it."""
    lease = session.get(LeaseRow, name) or LeaseRow(name=name, holder=holder, expires_time=0)
    if lease.holder != holder and lease.expires_time > now:
        return False
    lease.holder, lease.expires_time = holder, now + LEASE_MS
    session.add(lease)
    session.flush()
    return True


def give_up(session: WriteSession, name: str, holder: str) -> None:
    """Let go of a lease if this holder has it."""
    lease = session.get(LeaseRow, name)
    if lease is not None and lease.holder == holder:
        session.delete(lease)
        session.flush()
