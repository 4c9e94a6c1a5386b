"""The demo from beginning to end: set up, start, publish, deliver, check, show.

Invariants: nothing is compared before the network has come to rest; nodes are left running only
if that was asked for and nothing was raised.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from comity.client.exporting import export_record
from comity.client.terminal import err
from comity.record.spiffe import Role
from comity.v1.admin_service_pb2 import GetStatusResponse
from demo import network, story
from demo.audit import verify_export
from demo.cards import load_cards
from demo.expectation import Expectation
from demo.inquiry import Inquiry, releases_of
from demo.network import Member, Processes, wait_until
from demo.outcome import Observed, Outcome, compare

MODEL: Final = "Llama 3.1"
ANALYST: Final = "uk.aisi.example"
OPERATOR: Final = "uk.aisi.example"
GIVEN: Final = "uk/llama-3.1"
AUDITOR: Final = "de.aisi.example"
AUDITED: Final = "sg/deepseek-v2-chat"
DELIVERY_SECONDS: Final = 45.0
"""How long delivery may take; differences that are left then count as failures."""


async def play(folder: Path, *, keep: bool) -> Outcome:
    """Play the whole demo in ``folder``; return what the check found.

    Raises:
        BadConfig: a network is up already, or the folder is not a demo's.
        Unavailable: a node ended, or something did not come about in time.
    """
    began = time.monotonic()
    network.clear(folder)
    processes, left_up = Processes(folder), False
    try:
        with _progress() as progress:
            members = await _set_up(folder, processes, progress)
            async with Inquiry(members) as inquiry:
                await _publish(inquiry, progress)
                expected, observed, outcome = await _deliver(inquiry, progress)
                progress.stop()
                story.show_members(members)
                story.show_holdings(expected, observed)
                story.show_withheld(expected, observed)
                await _show_people(inquiry, folder)
        story.show_outcome(outcome, time.monotonic() - began)
        if keep:
            story.show_how_to_talk(members)
        left_up = keep
        return outcome
    finally:
        if not left_up:
            processes.stop()


async def _set_up(folder: Path, processes: Processes, progress: Progress) -> list[Member]:
    members = network.make_members(folder)
    step = _stage(progress, "Make homes, keys and certificates", len(members))
    for member in members:
        network.make_home(member)
        step()
    step = _stage(progress, "Exchange bundles, set policies, start nodes", len(members))
    for member in members:
        network.introduce(member, [other for other in members if other is not member])
        processes.start(member)
        step()
    step = _stage(progress, "Wait until every node listens", len(members))
    for member in members:
        await wait_until(partial(processes.listening, member), network.START_SECONDS)
        step()
    return members


async def _publish(inquiry: Inquiry, progress: Progress) -> None:
    cards = load_cards()
    step = _stage(progress, "Sign and publish cards", len(cards))
    for card in cards:
        await inquiry.publish(card)
        step()


async def _deliver(inquiry: Inquiry, progress: Progress) -> tuple[Expectation, Observed, Outcome]:
    task = progress.add_task("Replicate: parts that receivers signed for", total=None)
    deadline = time.monotonic() + DELIVERY_SECONDS

    async def at_rest() -> str:
        released, signed = _sums(await inquiry.statuses())
        progress.update(task, total=released, completed=signed)
        return (
            f"{released - signed} of {released} parts not signed for" if released > signed else ""
        )

    while True:
        await wait_until(at_rest, deadline - time.monotonic())
        before = _sums(await inquiry.statuses())
        observed = await inquiry.observe()
        expected = Expectation(load_cards(), datetime.now(UTC), observed.gifts())
        outcome = compare(expected, observed)
        still = _sums(await inquiry.statuses()) == before
        if (still and not outcome.differences) or time.monotonic() > deadline:
            return expected, observed, outcome


async def _show_people(inquiry: Inquiry, folder: Path) -> None:
    node = await inquiry.node(OPERATOR, Role.OPERATOR)
    story.show_releases(OPERATOR, GIVEN, await releases_of(node, inquiry.ids[GIVEN]))
    node = await inquiry.node(ANALYST, Role.ANALYST)
    story.show_search(ANALYST, MODEL, [result async for result in node.search(model=MODEL)])
    node = await inquiry.node(AUDITOR, Role.AUDITOR)
    result = await node.get(inquiry.ids[AUDITED])
    issuer = result.opened.statement.issuer.institute
    keyid = result.opened.record.envelope.keyid
    key = next(b for b in node.bundles if b.institute == issuer).keys_by_id[keyid]
    exported = folder / "audit" / AUDITED.replace("/", "-")
    export_record(result.opened, key, exported)
    story.show_audit(result, exported, verify_export(exported, key.keyid))


def _sums(statuses: dict[str, GetStatusResponse]) -> tuple[int, int]:
    peers = [peer for status in statuses.values() for peer in status.peers]
    return sum(peer.released for peer in peers), sum(peer.receipted for peer in peers)


def _progress() -> Progress:
    columns = (TextColumn("{task.description:44}"), BarColumn(20), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=err)


def _stage(progress: Progress, description: str, total: int) -> Callable[[], None]:
    task = progress.add_task(description, total=total)
    return lambda: progress.advance(task)
