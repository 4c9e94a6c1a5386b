"""The demo from beginning to end: set up, start, publish, deliver, check, show.

Invariants: nothing is compared before the network has come to rest; nodes are left running only
if that was asked for and nothing was raised.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from comity.client.terminal import err
from comity.node.node import Node
from comity.record.spiffe import Role
from comity.v1.admin_service_pb2 import GetStatusResponse
from demo import log_story, network, story, terms
from demo.audit import verify_export
from demo.cards import load_cards
from demo.evidence import collect, compare_found, examine
from demo.expectation import Expectation
from demo.inquiry import Inquiry, releases_of
from demo.logs import SeenLog, compare_logs, compare_reports
from demo.network import Member
from demo.outcome import Observed, Outcome, compare
from demo.processes import POLL_SECONDS, START_SECONDS, Processes, clear, wait_until

MODEL: Final = "Llama 3.1"
ANALYST: Final = "kr.aisi.example"
OPERATOR: Final = "uk.aisi.example"
GIVEN: Final = "uk/llama-3.1"
AUDITOR: Final = "de.aisi.example"
AUDITED: Final = "sg/deepseek-v2-chat"
LIVE: Final = "uk/phi-3-mini"
LIVE_SECONDS: Final = 15.0
MONITOR: Final = "us.aisi.example"
WITNESS_SECONDS: Final = 30.0
"""How long witnesses may take: a log that brings them no records they look at every 5 seconds."""

DELIVERY_SECONDS: Final = 45.0
"""How long delivery may take; differences that are left then count as failures."""


async def play(folder: Path, *, keep: bool) -> Outcome:
    """Play the whole demo in ``folder``; return what the check found.

    Raises:
        BadConfig: a network is up already, or the folder is not a demo's.
        Unavailable: a node ended, or something did not come about in time.
    """
    began = time.monotonic()
    clear(folder)
    processes, left_up = Processes(folder), False
    try:
        with _progress() as progress:
            members = network.make_members(folder)
            ids = await _set_up(members, processes, progress)
            async with Inquiry(members, ids) as inquiry:
                deadline = time.monotonic() + DELIVERY_SECONDS
                await _rest(inquiry, progress, deadline)
                arrivals = await _publish_live(inquiry, progress)
                expected, observed, outcome = await _check(inquiry, progress, deadline)
                logs = await _watch_logs(inquiry, progress)
                reports = await inquiry.monitor(MONITOR, folder / "monitor")
                progress.stop()
                story.show_members(members)
                story.show_holdings(expected, observed)
                story.show_withheld(expected, observed)
                story.show_arrivals(LIVE, arrivals)
                await _show_people(inquiry)
                log_story.show_logs(logs)
                log_story.show_monitor(MONITOR, reports)
                outcome += compare_logs(logs) + compare_reports(expected, MONITOR, reports)
                outcome += await _show_evidence(inquiry, folder)
        story.show_outcome(outcome, time.monotonic() - began)
        if keep:
            member = next(m for m in members if m.institute.id == OPERATOR)
            story.show_how_to_talk(member, ids[GIVEN])
        left_up = keep
        return outcome
    finally:
        if not left_up:
            processes.stop()


async def _set_up(
    members: list[Member], processes: Processes, progress: Progress
) -> dict[str, str]:
    step = _stage(progress, "Make homes, keys and certificates", len(members))
    for member in members:
        network.make_home(member)
        step()
    with ExitStack() as nodes:
        step = _stage(progress, "Set policies, exchange bundles", len(members))
        opened = []
        bundles = [member.open_home().bundle() for member in members]
        for member in members:
            opened.append(nodes.enter_context(closing(network.introduce(member, bundles))))
            step()
        ids = _publish(opened, progress)
    await _start(members, processes, progress)
    return ids


async def _start(members: list[Member], processes: Processes, progress: Progress) -> None:
    step = _stage(progress, "Start nodes", len(members))
    for member in members:
        processes.start(member)
    for member in members:
        await wait_until(partial(processes.listening, member), START_SECONDS)
        step()


def _publish(nodes: list[Node], progress: Progress) -> dict[str, str]:
    # all but one, which is published once the network is at rest, to see it spread
    step = _stage(progress, "Sign and publish cards", len(load_cards()) - 1)
    ids = {}
    for node in nodes:
        cards = [c for c in load_cards() if c.issuer == node.institute and c.name != LIVE]
        records = [card.draft.sign(node.home.node_id, node.key) for card in cards]
        for card, published in zip(cards, node.publish_all(records), strict=True):
            ids[card.name] = published.record_id
            step()
    return ids


async def _rest(inquiry: Inquiry, progress: Progress, deadline: float) -> None:
    task = progress.add_task("Replicate: parts that receivers signed for", total=None)

    async def at_rest() -> str:
        released, signed = _sums(await inquiry.statuses())
        progress.update(task, total=released, completed=signed)
        waiting = released - signed
        return f"{waiting} of {released} parts are not signed for" if waiting else ""

    await wait_until(at_rest, deadline - time.monotonic())


async def _publish_live(inquiry: Inquiry, progress: Progress) -> dict[str, float]:
    """Publish the last card at the running node; return when it was at each peer, in seconds."""
    card = next(card for card in load_cards() if card.name == LIVE)
    peers = [institute for institute in terms.IDS if institute != card.issuer]
    step = _stage(progress, "Publish one more card, and watch it arrive", len(peers))
    arrivals: dict[str, float] = {}
    began = time.monotonic()
    await inquiry.publish(card)

    async def everywhere() -> str:
        for peer in [peer for peer in peers if peer not in arrivals]:
            if await inquiry.holds(peer, card):
                arrivals[peer] = time.monotonic() - began
                step()
        missing = [peer for peer in peers if peer not in arrivals]
        return f"{card.name} is not at {', '.join(missing)}" if missing else ""

    await wait_until(everywhere, LIVE_SECONDS)
    return arrivals


async def _check(
    inquiry: Inquiry, progress: Progress, deadline: float
) -> tuple[Expectation, Observed, Outcome]:
    step = _stage(progress, "Ask every node, and compare", 1)
    while True:
        before = _sums(await inquiry.statuses())
        observed = await inquiry.observe()
        expected = Expectation(load_cards(), datetime.now(UTC), observed.gifts())
        outcome = compare(expected, observed)
        still = _sums(await inquiry.statuses()) == before
        if (still and not outcome.differences) or time.monotonic() > deadline:
            step()
            return expected, observed, outcome


async def _watch_logs(inquiry: Inquiry, progress: Progress) -> dict[str, SeenLog]:
    """Return the logs once all are witnessed, or as they are when that takes too long."""
    total = sum(len(terms.witnesses(institute)) for institute in terms.IDS)
    task = progress.add_task("Cosign the newest checkpoint of every log", total=total)
    deadline = time.monotonic() + WITNESS_SECONDS
    while True:
        logs = await inquiry.logs()
        progress.update(task, completed=sum(len(log.witnesses) for log in logs.values()))
        if not compare_logs(logs).differences or time.monotonic() > deadline:
            return logs
        await asyncio.sleep(POLL_SECONDS)


async def _show_people(inquiry: Inquiry) -> None:
    node = await inquiry.node(OPERATOR, Role.OPERATOR)
    story.show_releases(OPERATOR, GIVEN, await releases_of(node, inquiry.ids[GIVEN]))
    node = await inquiry.node(ANALYST, Role.ANALYST)
    story.show_search(ANALYST, MODEL, [result async for result in node.search(model=MODEL)])


async def _show_evidence(inquiry: Inquiry, folder: Path) -> Outcome:
    node = await inquiry.node(AUDITOR, Role.AUDITOR)
    exported = folder / "audit" / AUDITED.replace("/", "-")
    exhibit = await collect(node, inquiry.ids[AUDITED], exported)
    keyid = exhibit.result.opened.record.envelope.keyid
    story.show_audit(exhibit.result, exported, verify_export(exported, keyid, inquiry.ids[AUDITED]))
    found = examine(exhibit)
    log_story.show_evidence(AUDITOR, exhibit, found)
    return compare_found(found)


def _sums(statuses: dict[str, GetStatusResponse]) -> tuple[int, int]:
    peers = [peer for status in statuses.values() for peer in status.peers]
    return sum(peer.released for peer in peers), sum(peer.receipted for peer in peers)


def _progress() -> Progress:
    columns = (TextColumn("{task.description:44}"), BarColumn(20), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=err)


def _stage(progress: Progress, description: str, total: int) -> Callable[[], None]:
    task = progress.add_task(description, total=total)
    return lambda: progress.advance(task)
