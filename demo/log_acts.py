"""The demo's acts about keys and logs: change a key, wait for witnesses, monitor, take evidence.

Invariant: nothing is judged here; what the nodes answer goes to be compared and shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from rich.progress import Progress

from comity.client.monitor.report import Report
from comity.record.spiffe import Role
from demo import terms
from demo.cards import Card
from demo.ceremony import Followed, Rotation, rotate_record_key
from demo.evidence import Exhibit, collect
from demo.inquiry import Inquiry
from demo.logs import SeenLog, compare_logs
from demo.network import Member
from demo.processes import PATIENCE_SECONDS, POLL_SECONDS
from demo.progress import stage

MONITOR: Final = "us.aisi.example"
AUDITOR: Final = "de.aisi.example"
AUDITED: Final = "uk/llama-3.1"


def change_key(inquiry: Inquiry, members: Iterable[Member], progress: Progress) -> Rotation:
    """Change the record key of the institute that has a root, and give its people new profiles."""
    step = stage(progress, "Change a record key, and publish the root", 1)
    rotation = rotate_record_key(next(m for m in members if m.institute.id == terms.ROOTED))
    inquiry.renew(terms.ROOTED, rotation.root.profile)
    step()
    return rotation


async def ask_followers(inquiry: Inquiry, card: Card) -> dict[str, Followed]:
    """Return what each peer has pinned, once it has the card that was signed with the new key."""
    peers = [institute for institute in terms.IDS if institute != card.issuer]
    return {peer: await inquiry.followed(peer, card) for peer in peers}


async def watch_logs(inquiry: Inquiry, progress: Progress) -> dict[str, SeenLog]:
    """Return the logs once all are witnessed, or as they are when that takes too long."""
    total = sum(len(terms.witnesses(institute)) for institute in terms.IDS)
    task = progress.add_task("Cosign the newest checkpoint of every log", total=total)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        logs = await inquiry.logs()
        progress.update(task, completed=sum(len(log.witnesses) for log in logs.values()))
        if not compare_logs(logs).differences or time.monotonic() > deadline:
            return logs
        await asyncio.sleep(POLL_SECONDS)


async def monitor(inquiry: Inquiry, progress: Progress) -> list[Report]:
    """Look at every log from outside, as an auditor whose institute is no one's exception."""
    step = stage(progress, "Monitor every log, leaf by leaf", len(terms.IDS))
    return await inquiry.monitor(MONITOR, step)


async def collect_evidence(inquiry: Inquiry) -> Exhibit:
    """Export another institute's record with evidence; raises as ``collect``."""
    node = await inquiry.node(AUDITOR, Role.AUDITOR)
    folder = inquiry.folder / "audit" / AUDITED.replace("/", "-")
    return await collect(node, inquiry.ids[AUDITED], folder)
