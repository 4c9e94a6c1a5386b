"""Nodes that replicate: their introduction, cards, receipts, and recovery of a database."""

from __future__ import annotations

import asyncio

from comity.node.database.clock import system_clock
from comity.node.database.progress_mark import Mark
from comity.node.database.store import Store
from comity.node.database.tables import PeerRow, ReceiptRow
from comity.node.home.folder import Home
from comity.node.server.recovery import Recovered, recover_database
from comity.policies.preset import load_preset
from tests.support.drafts import card
from tests.support.institutes import Institute
from tests.support.network import Running, befriend


def receipts(one: Running | Institute, peer: str) -> list[bytes]:
    """Return the receipts about a peer, ours or theirs, as they were signed."""
    return [row.payload + row.signature for row in one.rows(ReceiptRow, peer=peer)]


def settled(sender: Running, receiver: str) -> bool:
    """True if a peer was offered something and has signed for all of it."""
    [row] = sender.rows(PeerRow, institute=receiver)
    return bool(row.offered and row.receipted == row.offered)


async def introduce(uk: Running, ca: Running) -> None:
    """Make two institutes each other's peers; uk gives what it has."""
    befriend(uk, ca)
    befriend(ca, uk)
    await asyncio.to_thread(uk.node.set_policy, load_preset("open"))


def publish_card(one: Running) -> str:
    """Publish a card; return its record id."""
    record = one.sign(card())
    one.node.publish(record)
    return record.record_id


def recovered(home: Home) -> Recovered:
    """Do what ``comity-node recover`` does once a database was lost or restored from a backup."""
    store = Store(home.settings.database_url)
    try:
        store.upgrade()
        store.claim(home.institute)
        return recover_database(store, Mark(home.state), system_clock())
    finally:
        store.close()
