"""The counters of standing equal a recount of the ledger, whatever two institutes do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.policies.preset import load_preset
from comity.record.errors import BadSignature
from tests.support.databases import sqlite_databases
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.standing import BOTH, HEADERS_ONLY, refuse, seen, thin

UK, CA = "uk.aisi.example", "ca.aisi.example"
OPEN, BALANCED = load_preset("open"), load_preset("balanced")
DAY = 86_400

Step = Callable[[list[Institute], HandClock, list[list[str]]], object]


def publishing(
    who: int, model: int, kind: str, full: bool, version: int | None, delayed: bool
) -> Step:
    def step(pair: list[Institute], clock: HandClock, ids: list[list[str]]) -> None:
        more: dict[str, Any] = {"kind": kind}
        if version is not None and ids[who]:
            more["supersedes"] = ids[who][version % len(ids[who])]
        if delayed:
            later = {"embargo": clock.in_seconds(20 * DAY)}
            more["section_handling"] = {"limitations": later}
        draft = card(f"model-{model}", **more) if full else thin(f"model-{model}")
        ids[who].append(pair[who].publish(draft).record_id)

    return step


def pulling(who: int, lose_receipts: bool) -> Step:
    return lambda pair, clock, ids: pair[who].pull(pair[1 - who], lose_receipts=lose_receipts)


def turning(days: int) -> Step:
    return lambda pair, clock, ids: clock.turn(days * DAY)


def ruling(who: int, policy: str) -> Step:
    return lambda pair, clock, ids: pair[who].node.set_policy(policy)


def refusing(who: int, number: int) -> Step:
    bad = BadSignature("bad")
    return lambda pair, clock, ids: refuse(pair[who], pair[1 - who], b"%d" % number, bad)


sides = st.integers(0, 1)
steps = st.one_of(
    st.builds(
        publishing,
        sides,
        st.integers(0, 2),
        st.sampled_from(["model-card", "evaluation"]),
        st.booleans(),
        st.none() | st.integers(0, 5),
        st.booleans(),
    ),
    st.builds(pulling, sides, st.booleans()),
    st.builds(turning, st.sampled_from([1, 30, 200])),
    st.builds(ruling, sides, st.sampled_from([OPEN, HEADERS_ONLY, BALANCED, BOTH])),
    st.builds(refusing, sides, st.integers(0, 3)),
)


@settings(
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(taken=st.lists(steps, min_size=5, max_size=25), at_once=st.sampled_from([1, 3, 10**5]))
def test_counters_equal_a_recount_after_every_step(
    tmp_path_factory: pytest.TempPathFactory, taken: list[Step], at_once: int
) -> None:
    root = tmp_path_factory.mktemp("standing")
    clock = HandClock()
    with (
        institutes(root, clock, sqlite_databases(root), UK, CA, policy=OPEN) as pair,
        # records, and what is about one subject, are then counted in several transactions
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("comity.node.release.schedule.MAX_AT_ONCE", at_once)
        ids: list[list[str]] = [[], []]
        for step in taken:
            step(pair, clock, ids)
            seen(*pair)
            seen(*reversed(pair))
