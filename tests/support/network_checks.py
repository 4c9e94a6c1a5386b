"""What must hold in a network of institutes after every step (invariants 1, 2, 3, 5 and 6).

What nodes do is compared with ``reference_view`` and ``reference_policies``, which say what they
may and must do.
"""

from __future__ import annotations

from collections import Counter
from itertools import permutations

from sqlmodel import select

from comity.node.database.tables import (
    HEADER,
    PartRow,
    PeerRow,
    QuarantineRow,
    ReceiptRow,
    RecordRow,
    ReleaseRow,
)
from comity.node.policy.versions import policy_at, with_treaties
from comity.node.release.explanation import explain_record
from comity.node.release.preview import Effect, preview_peer
from comity.node.trust.peers import get_peer, pinned_peers
from comity.policies.evaluator import Policy
from tests.support.institutes import HandClock, Institute
from tests.support.reference_policies import goes, may_give
from tests.support.reference_view import NAMES, Facts, Holder, Key, Peer, View

Pair = tuple[str, str]
"""A holder and a peer of it."""


class CheckedNetwork:
    """Institutes, what each holds and has been given, and checks of what their nodes do."""

    def __init__(self, made: list[Institute], clock: HandClock) -> None:
        self.institutes, self.clock = {one.name: one for one in made}, clock
        self.pairs: list[Pair] = list(permutations(NAMES, 2))
        self._parts: dict[Key, Facts] = {}
        self._payloads: dict[str, bytes] = {}
        self._holders = {name: Holder(name) for name in NAMES}
        self._peers = {pair: Peer(pair[1]) for pair in self.pairs}
        self._started_anew: set[Pair] = set()

    def check_queues(self, holder: str) -> None:
        """(1) Every part released since the last check was allowed; sections follow headers."""
        for name in _others(holder):
            peer = self._peers[holder, name]
            view = self._view(holder, name)
            for key in self._read_queue(holder, name, len(peer.queue)):
                assert may_give(view, key, peer.queue), (holder, name, self._parts[key])
                record_id, section = key
                if section:
                    assert view.has_header(record_id, peer.queue), (holder, name, key)
                elif view.promises(record_id):
                    peer.promised.add(record_id)
                peer.queue.append(key)

    def check_settled(self, holder: str) -> None:
        """(2) No part that is allowed waits once a node has done its work."""
        for name in _others(holder):
            queue, view = self._peers[holder, name].queue, self._view(holder, name)
            for key in self._holders[holder].origin.keys() - set(queue):
                assert not goes(view, key, queue), (holder, name, self._parts[key])

    def check_stores(self) -> None:
        """(3) Bytes are the same everywhere; (5) no part is held twice; no record was refused.

        A part that was appended to a queue stays there.
        """
        for one in self.institutes.values():
            records, parts = one.rows(RecordRow), one.rows(PartRow)
            assert {r.record_id: r.payload for r in records}.items() <= self._payloads.items()
            assert len({r.record_id for r in records}) == len(records)
            assert len({(part.record_seq, part.section) for part in parts}) == len(parts)
            assert one.held() == self._holders[one.name].origin.keys()
            assert one.rows(QuarantineRow) == []
        for (holder, name), peer in self._peers.items():
            assert self._read_queue(holder, name, 0) == peer.queue

    def check_explanations(self) -> None:
        """Every part explained as allowed was released, and the reference denies every other."""
        for holder, name in self.pairs:
            queue, view = self._peers[holder, name].queue, self._view(holder, name)
            with self.institutes[holder].node.store.read() as session:
                for record in session.exec(select(RecordRow)):
                    for part in explain_record(session, name, record, self.clock()):
                        key = (record.record_id, part.name)
                        assert (part.release_time is not None) == (key in queue)
                        assert part.allowed <= (key in queue), (holder, part)
                        assert part.allowed == goes(view, key, queue), (holder, part)

    def check_at_rest(self) -> None:
        """(2) Every part released was delivered; (6) the ledgers of both sides agree."""
        for holder, name in self.pairs:
            assert set(self._peers[holder, name].queue) <= self._holders[name].origin.keys()
            self._check_ledgers(holder, name)

    def _view(self, holder: str, peer: str) -> View:
        between = self._holders[holder], self._peers[holder, peer]
        return View(self._parts, *between, self.clock())

    def _preview(self, holder: str, text: str) -> dict[str, Counter[tuple[str, bool]]]:
        """Return by peer how many parts a policy would release, by kind and header or not."""
        told = {}

        with self.institutes[holder].node.store.read() as session:
            now = self.clock()
            policy, other = policy_at(session, now), with_treaties(session, Policy.parse(text), now)
            for row in pinned_peers(session):
                gained: Counter[tuple[str, bool]] = Counter()
                for found in preview_peer(session, row, policy, other, now):
                    if found.effect is Effect.GAINED:
                        gained[found.kind, True] += found.records
                        gained[found.kind, False] += found.parts - found.records
                told[row.institute] = gained
        return told

    def _read_queue(self, holder: str, peer: str, known: int) -> list[Key]:
        """Return the parts released to a peer after its first ``known`` offers, in order."""
        query = (
            select(ReleaseRow.offer_number, RecordRow.record_id, PartRow.section, PartRow.name)
            .join(PartRow, PartRow.part_id == ReleaseRow.part_id)
            .join(RecordRow, RecordRow.record_seq == PartRow.record_seq)
            .where(ReleaseRow.peer == peer, ReleaseRow.offer_number > known)
            .order_by(ReleaseRow.offer_number)
        )

        with self.institutes[holder].node.store.read() as session:
            rows = list(session.exec(query))
            offered = get_peer(session, peer).offered

        assert [number for number, *_ in rows] == list(range(known + 1, offered + 1))
        return [(i, "" if section == HEADER else name) for _, i, section, name in rows]

    def _check_ledgers(self, sender: str, receiver: str) -> None:
        [row] = self.institutes[sender].rows(PeerRow, institute=receiver)
        assert row.receipted == row.offered == len(self._peers[sender, receiver].queue)
        theirs = self._receipts(sender, receiver, ours=False)
        ours = self._receipts(receiver, sender, ours=True)
        if (sender, receiver) in self._started_anew:
            assert set(theirs) <= set(ours)
        else:
            assert theirs == ours

    def _receipts(self, one: str, peer: str, *, ours: bool) -> list[bytes]:
        rows = self.institutes[one].rows(ReceiptRow, peer=peer, ours=ours)
        return [row.payload + row.signature for row in rows]


def _others(name: str) -> list[str]:
    return [other for other in NAMES if other != name]
