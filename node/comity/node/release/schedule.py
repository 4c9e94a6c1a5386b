"""The schedule of a release: to which peers something is due, and how much one transaction takes.

Invariants: every peer to which something is due is released to, and what it was given is counted
after that (invariant 2); no transaction takes much more than MAX_AT_ONCE parts, so that other
writers get their turn between two of them.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from sqlmodel import Session, func, select

from comity.node.database.rows import last_number
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import PartRow, PeerRow
from comity.node.policy.decisions import basis_digest
from comity.node.policy.facts import facts_of
from comity.node.policy.standing.given import count_given, standing_is_behind
from comity.node.policy.standing.window import next_window_time
from comity.node.policy.treaties import next_treaty_time
from comity.node.policy.versions import policy_at
from comity.node.release.run import release_to
from comity.node.trust.peers import pinned_peers
from comity.policies.evaluator import Policy

MAX_AT_ONCE: Final = 65_536
"""Parts after which a transaction ends: it takes a fraction of a second, for which others wait.
What one peer may newly have is released whole, in as many seconds as it takes."""


class Schedule:
    """The peers to which to release, and whose new offers are then to be counted, in their order.

    It holds nothing that a crash could lose: what was not done is due again.
    """

    def __init__(self, session: Session, now: int) -> None:
        policy = policy_at(session, now)
        peers = pinned_peers(session)
        due = [row.institute for row in peers if release_is_due(session, row, policy, now)]
        self._to_release = deque(due)
        self._to_count = deque(due)

    @property
    def more_to_do(self) -> bool:
        """True until the last peer's offers have been counted."""
        return bool(self._to_count)

    def do_next(self, session: WriteSession, now: int) -> int:
        """Do what fits in one transaction; return the number of parts released.

        Nothing is counted before all peers have been released to: counting may wait.
        """
        policy = policy_at(session, now)
        released = counted = 0
        while self._to_release and released < MAX_AT_ONCE:
            row = session.get_one(PeerRow, self._to_release.popleft())
            released += release_to(session, row, policy, now)
        if self._to_release:
            return released

        while self._to_count and released + counted < MAX_AT_ONCE:
            row = session.get_one(PeerRow, self._to_count[0])
            counted += count_given(session, row, now, MAX_AT_ONCE - counted)
            if row.counted == row.offered:
                self._to_count.popleft()
        return released


def release_is_due(session: Session, row: PeerRow, policy: Policy, now: int) -> bool:
    """True if anything on which release depends has changed since it last ran for a peer."""
    if standing_is_behind(session, row, now):
        return True
    if basis_digest(policy, facts_of(session, row)) != row.decided:
        return True
    if last_number(session, PartRow.part_id) > row.considered_part:
        return True

    ended = PartRow.embargo_time.between(row.considered_time + 1, now)
    return session.exec(select(PartRow.part_id).where(ended).limit(1)).first() is not None


def next_release_time(session: Session, now: int) -> int | None:
    """Return when time alone makes something due to a peer next, Unix ms; None if it never does.

    What was due at ``now`` or before is left out.
    """
    ends = select(func.min(PartRow.embargo_time)).where(PartRow.embargo_time > now)
    times = (session.exec(ends).one(), next_treaty_time(session, now), next_window_time(session))
    return min((time for time in times if time is not None), default=None)
