"""Institutes in one process, without a network: what nodes do with each other, step by step.

Everything is real but the wire: homes, keys, databases, queues, intake, receipts. The clock is
turned by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel, select

from comity.client.drafts.draft import Draft
from comity.node.database.clock import system_clock, to_datetime
from comity.node.database.cursors import make_cursor, read_cursor
from comity.node.database.owner import epoch_of
from comity.node.database.tables import HEADER, PartRow, RecordRow, ReleaseRow
from comity.node.node import Node
from comity.node.policy.versions import policy_at, policy_in_force
from comity.node.release.schedule import release_is_due
from comity.node.replication.batches import Batch
from comity.node.replication.not_stored import believed_waiting
from comity.node.replication.outbox import next_batch
from comity.node.replication.own_receipts import unsent_receipts
from comity.node.replication.peer_receipts import keep_receipt
from comity.node.trust.peers import get_peer
from comity.record.record import Record
from comity.record.times import format_time
from tests.support.databases import NewDatabase
from tests.support.network import befriend, make_home


class HandClock:
    """A clock that stands still until it is turned; begins at the machine's time."""

    def __init__(self) -> None:
        self.now = system_clock()

    def __call__(self) -> int:
        """Return Unix milliseconds."""
        return self.now

    def turn(self, seconds: float) -> None:
        """Go forward."""
        self.now += int(seconds * 1000)

    def in_seconds(self, seconds: float) -> str:
        """Return a time from now, as handling writes it."""
        return format_time(to_datetime(self.now) + timedelta(seconds=seconds))

    @property
    def time(self) -> datetime:
        """The time as an aware UTC datetime."""
        return to_datetime(self.now)


class Institute:
    """A node that only its own methods move."""

    def __init__(self, node: Node) -> None:
        self.node, self.name = node, node.institute

    def publish(self, draft: Draft) -> Record:
        """Sign a draft with the node's key and publish it."""
        record = self.sign(draft)
        self.node.publish(record)
        return record

    def sign(self, draft: Draft) -> Record:
        """Sign a draft with the node's key."""
        return draft.sign(self.node.home.node_id, self.node.key, to_datetime(self.node.clock()))

    def rows(self, table: type[SQLModel], **where: Any) -> list[Any]:
        """Return the rows of a table whose columns have the given values."""
        with self.node.store.read() as session:
            return list(session.exec(select(table).filter_by(**where)))

    def released(self, peer: Institute) -> list[tuple[str, str]]:
        """Return (record id, section name) of what was released to a peer, in order.

        The name of a header is empty.
        """
        query = (
            select(RecordRow.record_id, PartRow.section, PartRow.name)
            .join(PartRow, PartRow.record_seq == RecordRow.record_seq)
            .join(ReleaseRow, ReleaseRow.part_id == PartRow.part_id)
            .where(ReleaseRow.peer == peer.name)
            .order_by(ReleaseRow.offer_number)
        )
        with self.node.store.read() as session:
            return [(i, "" if s == HEADER else name) for i, s, name in session.exec(query)]

    def is_release_due(self, peer: Institute) -> bool:
        """True if anything has changed since release last ran for the peer."""
        with self.node.store.read() as session:
            now = self.node.clock()
            row = get_peer(session, peer.name)
            return release_is_due(session, row, policy_at(session, now), now)

    def held(self) -> set[tuple[str, str]]:
        """Return (record id, section name) of every part that is held."""
        query = select(RecordRow.record_id, PartRow.section, PartRow.name)
        query = query.join(PartRow, PartRow.record_seq == RecordRow.record_seq)
        with self.node.store.read() as session:
            return {(i, "" if s == HEADER else name) for i, s, name in session.exec(query)}

    def offer(self, peer: Institute) -> Batch | None:
        """Return the batch after the peer's cursor, as the sender makes it."""
        with peer.node.store.read() as session:
            cursor = get_peer(session, self.name).cursor
        with self.node.store.read() as session:
            last = get_peer(session, peer.name).offered
            found = next_batch(session, peer.name, read_cursor(cursor, epoch_of(session), last))
        return found[0] if found else None

    def pull(self, sender: Institute, *, lose_receipts: bool = False) -> int:
        """Take all that a peer has for this institute; return how many batches that were.

        As on the wire, receipts that the sender does not hold go first.
        """
        if not lose_receipts:
            self.send_receipts(sender)
        count = 0
        while (batch := sender.offer(self)) is not None:
            taken = self.node.inbox.take(sender.name, batch)
            count += 1
            if not lose_receipts:
                with sender.node.store.write() as session:
                    keep_receipt(session, self.name, taken.receipt, sender.node.clock())
        return count

    def send_receipts(self, sender: Institute) -> None:
        """Give a peer the receipts that it does not hold."""
        with sender.node.store.read() as session:
            receipted = get_peer(session, self.name).receipted
            held = make_cursor(epoch_of(session), receipted) if receipted else ""
        with self.node.store.read() as session:
            receipts = unsent_receipts(session, get_peer(session, sender.name), held)
        with sender.node.store.read() as session:
            believed = believed_waiting(session, self.name)
        outcomes = self.node.waiting.outcomes(sender.name, set(believed))[1]
        for receipt in (*receipts, *outcomes):
            with sender.node.store.write() as session:
                keep_receipt(session, self.name, receipt, sender.node.clock())

    def policy_digest(self) -> str:
        """Return the digest of the policy in force."""
        with self.node.store.read() as session:
            return policy_in_force(session).policy.digest


@contextmanager
def institutes(
    root: Path, clock: HandClock, new_database: NewDatabase, *names: str, policy: str | None = None
) -> Iterator[list[Institute]]:
    """Yield institutes that are all each other's peers; ``policy`` is what all put in force."""
    made: list[Institute] = []
    try:
        for name in names:
            home = make_home(root, name, database=new_database())
            made.append(Institute(Node(home, clock)))

        for one in made:
            befriend(one, *(other for other in made if other is not one))
            if policy is not None:
                one.node.set_policy(policy)

        yield made
    finally:
        for one in made:
            one.node.close()
