"""The skew between this node's clock and a peer's, as the stream between them shows it.

A time that a peer tells was read between the moment at which it was asked for and the moment at
which it arrived. What lies outside is skew. So a slow line or a busy machine never looks like a
skew, and a skew is told as less than it is, by a round trip at most. Invariant: the alarm about a
peer's clock stands exactly while the last measurement was above MAX_SKEW_MS.
"""

from __future__ import annotations

from typing import Final

from comity.node.database.alarms import clear_alarm, raise_alarm
from comity.node.database.sessions import WriteSession
from comity.node.database.store import Store
from comity.node.database.tables import PeerRow
from comity.node.trust.peers import get_peer

CLOCK_SKEW: Final = "CLOCK_SKEW"
"""Reason of the alarm that two clocks differ."""

MAX_SKEW_MS: Final = 60_000
"""A skew that is told: far above what NTP leaves, and below MAX_CLOCK_SKEW_SECONDS."""

DIALLED_MS: Final = 20_000
"""Time that the first message of a stream may be on its way."""


def note_peer_time(
    session: WriteSession, row: PeerRow, told: int, asked: int, arrived: int
) -> None:
    """Note the skew of a peer's clock; raise or clear the alarm about it.

    ``told`` is the time on the peer's clock, 0 if it did not tell; ``asked`` and ``arrived`` are on
    this node's. All are in Unix milliseconds.
    """
    if not told:
        return
    row.clock_skew = told - arrived if told > arrived else min(told - asked, 0)
    session.add(row)
    session.flush()

    if abs(row.clock_skew) <= MAX_SKEW_MS:
        clear_alarm(session, row.institute, CLOCK_SKEW)
        return
    # without the figure, which differs a little each time and would be logged anew
    way = skew_in_words(row.institute, row.clock_skew).partition(" by ")[0]
    message = f"{way} by more than {MAX_SKEW_MS // 1000} s: records may wait and certificates fail"
    hint = "set both clocks by NTP; comity-node peers list shows the difference"
    raise_alarm(session, row.institute, CLOCK_SKEW, f"{message}; {hint}", arrived)


def note_caller_time(store: Store, peer: str, told: int, now: int) -> None:
    """Note the time that a peer told with the first message of its stream; see above."""
    with store.write() as session:
        note_peer_time(session, get_peer(session, peer), told, now - DIALLED_MS, now)


def skew_in_words(institute: str, skew: int) -> str:
    """Return what a skew in milliseconds means, for people."""
    way = "ahead of" if skew > 0 else "behind"
    return f"the clock of {institute} is {way} this node's clock by {abs(skew) // 1000} s"
