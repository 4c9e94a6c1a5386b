"""On one stream: telling the sender what became of its records that waited here.

Invariant: what the sender believes is asked when the stream begins and followed from then on, so a
message that was lost is told again on the next stream.
"""

from __future__ import annotations

from collections.abc import Iterable

from comity.node.node import Node
from comity.node.replication.not_stored import MAX_BELIEVED
from comity.node.server.background.peer_stream import PeerStream
from comity.node.server.threads import in_thread


class WaitingOutcomes:
    """The records that wait here, as far as the sender of one stream knows.

    Raises:
        LimitExceeded: the sender lists more than MAX_BELIEVED.
    """

    def __init__(self, node: Node, peer: str, stream: PeerStream, believed: Iterable[str]) -> None:
        self._node, self._peer, self._stream = node, peer, stream
        self._believed = set(believed)
        MAX_BELIEVED.check(len(self._believed), "accepted.waiting_record_ids")

    def add(self, record_ids: Iterable[str]) -> None:
        """Note records of which the sender was just told that they wait."""
        self._believed.update(record_ids)

    async def tell(self) -> None:
        """Send receipts for those that wait no longer.

        Raises: as ``PeerStream.send_receipt``.
        """
        if not self._believed:
            return
        waiting = self._node.waiting
        settled, receipts = await in_thread(waiting.outcomes, self._peer, self._believed)
        for receipt in receipts:
            await self._stream.send_receipt(receipt)
        self._believed -= settled
