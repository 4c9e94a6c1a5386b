"""The demo from beginning to end: set up, start, publish, deliver, check, show.

Invariants: nothing is compared before the network has come to rest; nodes are left running only
if that was asked for and nothing was raised.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from rich.progress import Progress

from comity.node.node import Node
from comity.node.trust.pins import Pin
from comity.record.keys import SigningKey
from comity.record.spiffe import Role
from comity.v1.admin_service_pb2 import GetStatusResponse
from demo import log_acts, log_story, network, story, terms
from demo.audit import verify_export
from demo.cards import Card, load_cards
from demo.ceremony import compare_followed, found_root
from demo.evidence import compare_found, examine
from demo.expectation import Expectation
from demo.inquiry import Inquiry, releases_of
from demo.logs import compare_logs, compare_reports
from demo.network import Member
from demo.outcome import Observed, Outcome, compare
from demo.processes import PATIENCE_SECONDS, Processes, clear, wait_until
from demo.progress import progress_bars, stage

MODEL: Final = "Llama 3.1"
ANALYST: Final = "kr.aisi.example"
OPERATOR: Final = "uk.aisi.example"
GIVEN: Final = "uk/llama-3.1"
LIVE: Final = "uk/phi-3-mini"


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
        with progress_bars() as progress:
            members = network.make_members(folder)
            ids = await _set_up(members, processes, progress)
            async with Inquiry(members, ids) as inquiry:
                outcome = await _perform(inquiry, members, progress)
        story.show_outcome(outcome, time.monotonic() - began)
        if keep:
            member = next(m for m in members if m.institute.id == OPERATOR)
            story.show_how_to_talk(member, ids[GIVEN])
        left_up = keep
        return outcome
    finally:
        if not left_up:
            processes.stop()


async def _perform(inquiry: Inquiry, members: list[Member], progress: Progress) -> Outcome:
    deadline = time.monotonic() + PATIENCE_SECONDS
    await _rest(inquiry, progress, deadline)
    rotation = log_acts.change_key(inquiry, members, progress)
    arrivals = await _publish_live(inquiry, rotation.key, progress)
    followed = await log_acts.ask_followers(inquiry, _card(LIVE))
    expected, observed, outcome = await _check(inquiry, progress, deadline)
    logs = await log_acts.watch_logs(inquiry, progress)
    reports = await log_acts.monitor(inquiry, progress)
    exhibit = await log_acts.collect_evidence(inquiry)
    found = examine(exhibit)
    progress.stop()
    story.show_members(members)
    story.show_holdings(expected, observed)
    story.show_withheld(expected, observed)
    log_story.show_rotation(rotation, followed)
    story.show_arrivals(LIVE, arrivals)
    await _show_people(inquiry)
    log_story.show_logs(logs)
    log_story.show_monitor(log_acts.MONITOR, reports)
    story.show_audit(exhibit.result, exhibit.folder, verify_export(exhibit))
    log_story.show_evidence(log_acts.AUDITOR, exhibit, found)
    outcome += compare_followed(rotation, followed) + compare_logs(logs)
    outcome += compare_reports(expected, log_acts.MONITOR, reports) + compare_found(found)
    return outcome


async def _set_up(
    members: list[Member], processes: Processes, progress: Progress
) -> dict[str, str]:
    step = stage(progress, "Make homes, keys and certificates", len(members))
    for member in members:
        network.make_home(member)
        step()
    with ExitStack() as nodes:
        step = stage(progress, "Set policies, exchange bundles", len(members))
        opened = []
        pins = [_pin(member) for member in members]
        for member in members:
            opened.append(nodes.enter_context(closing(network.introduce(member, pins))))
            step()
        ids = _publish(opened, progress)
    await _start(members, processes, progress)
    return ids


def _pin(member: Member) -> Pin:
    if member.institute.id == terms.ROOTED:
        return found_root(member)
    return member.open_home().bundle()


async def _start(members: list[Member], processes: Processes, progress: Progress) -> None:
    step = stage(progress, "Start nodes", len(members))
    for member in members:
        processes.start(member)
    for member in members:
        await wait_until(partial(processes.listening, member), PATIENCE_SECONDS)
        step()


def _publish(nodes: list[Node], progress: Progress) -> dict[str, str]:
    # all but one, which is published once the network is at rest, to see it spread
    step = stage(progress, "Sign and publish cards", len(load_cards()) - 1)
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


async def _publish_live(inquiry: Inquiry, key: SigningKey, progress: Progress) -> dict[str, float]:
    """Publish the last card at the running node; return when it was at each peer, in seconds."""
    card = _card(LIVE)
    peers = [institute for institute in terms.IDS if institute != card.issuer]
    step = stage(progress, "Publish one more card, and watch it arrive", len(peers))
    arrivals: dict[str, float] = {}
    began = time.monotonic()
    await inquiry.publish(card, key)

    async def everywhere() -> str:
        for peer in [peer for peer in peers if peer not in arrivals]:
            if await inquiry.holds(peer, card):
                arrivals[peer] = time.monotonic() - began
                step()
        missing = [peer for peer in peers if peer not in arrivals]
        return f"{card.name} is not at {', '.join(missing)}" if missing else ""

    await wait_until(everywhere, PATIENCE_SECONDS)
    return arrivals


async def _check(
    inquiry: Inquiry, progress: Progress, deadline: float
) -> tuple[Expectation, Observed, Outcome]:
    step = stage(progress, "Ask every node, and compare", 1)
    while True:
        before = _sums(await inquiry.statuses())
        observed = await inquiry.observe()
        expected = Expectation(load_cards(), datetime.now(UTC), observed.gifts())
        outcome = compare(expected, observed)
        still = _sums(await inquiry.statuses()) == before
        if (still and not outcome.differences) or time.monotonic() > deadline:
            step()
            return expected, observed, outcome


async def _show_people(inquiry: Inquiry) -> None:
    node = await inquiry.node(OPERATOR, Role.OPERATOR)
    story.show_releases(OPERATOR, GIVEN, await releases_of(node, inquiry.ids[GIVEN]))
    node = await inquiry.node(ANALYST, Role.ANALYST)
    story.show_search(ANALYST, MODEL, [result async for result in node.search(models=[MODEL])])


def _card(name: str) -> Card:
    return next(card for card in load_cards() if card.name == name)


def _sums(statuses: dict[str, GetStatusResponse]) -> tuple[int, int]:
    peers = [peer for status in statuses.values() for peer in status.peers]
    return sum(peer.released for peer in peers), sum(peer.receipted for peer in peers)
