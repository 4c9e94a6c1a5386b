"""Whatever institutes do, in whatever order, DESIGN's invariants 1, 2, 3, 5 and 6 hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.policies.facts import PeerStatus
from tests.world import NAMES, POLICIES, Homes, World

Step = Callable[[World], object]

PAIRS = [(one, other) for one in NAMES for other in NAMES if one != other]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    return Homes(tmp_path_factory.mktemp("homes"))


@st.composite
def handlings(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a record's release conditions; an embargo in seconds."""
    handling: dict[str, Any] = {"tlp": draw(st.sampled_from(["CLEAR", "GREEN", "AMBER", "RED"]))}
    if draw(st.integers(0, 2)) == 0 or handling["tlp"] in ("AMBER", "RED"):
        handling["releasableTo"] = sorted(draw(st.sets(st.sampled_from(NAMES))))
    if handling["tlp"] != "RED":
        handling["onward"] = draw(st.booleans())
    if draw(st.integers(0, 3)) == 0:
        handling["embargo"] = 100
    if draw(st.integers(0, 3)) == 0:
        handling["purposes"] = draw(st.sampled_from([["research"], ["policy", "research"]]))
    return handling


@st.composite
def narrowings(draw: st.DrawFn, handling: dict[str, Any]) -> dict[str, Any]:
    """Draw what is stricter for one section."""
    listed = handling.get("releasableTo", NAMES)
    choices: list[dict[str, Any]] = [
        {},
        {"onward": False},
        {"embargo": 200},
        {"releasableTo": sorted(draw(st.sets(st.sampled_from(listed)))) if listed else []},
        {"purposes": ["research"]},
        {"tlp": "RED", "onward": False},
    ]
    return draw(st.sampled_from(choices))


@st.composite
def publishing(draw: st.DrawFn) -> Step:
    issuer = draw(st.sampled_from(NAMES))
    kind = draw(st.sampled_from(["model-card", "evaluation"]))
    tags = draw(st.sampled_from([["share"], []]))
    handling = draw(handlings())
    risks = draw(narrowings(handling))
    substance = draw(st.sampled_from(["limitations", "risks", "none"]))
    count = draw(st.integers(1, 4))
    return named(
        lambda w: w.publish(issuer, kind, tags, handling, risks, substance, count), locals()
    )


@st.composite
def pulling(draw: st.DrawFn) -> Step:
    receiver, sender = draw(st.sampled_from(PAIRS))
    lose_receipts = draw(st.integers(0, 3)) == 0
    return named(lambda w: w.pull(receiver, sender, lose_receipts=lose_receipts), locals())


@st.composite
def starting_anew(draw: st.DrawFn) -> Step:
    receiver, sender = draw(st.sampled_from(PAIRS))
    return named(lambda world: world.start_anew(receiver, sender), locals())


@st.composite
def policies(draw: st.DrawFn) -> Step:
    holder, name = draw(st.sampled_from(NAMES)), draw(st.sampled_from(sorted(POLICIES)))
    return named(lambda world: world.set_policy(holder, name), locals())


@st.composite
def statuses(draw: st.DrawFn) -> Step:
    holder, peer = draw(st.sampled_from(PAIRS))
    choices = [PeerStatus.MEMBER, PeerStatus.PROBATION, PeerStatus.SUSPENDED]
    status = draw(st.sampled_from(choices))
    return named(lambda world: world.set_status(holder, peer, status), locals())


@st.composite
def turning(draw: st.DrawFn) -> Step:
    seconds = draw(st.sampled_from([60, 150]))
    return named(lambda world: world.turn(seconds), locals())


def named(step: Callable[[World], object], values: dict[str, Any]) -> Step:
    """Give a step a name that says what it does, for a failing example."""
    said = ", ".join(f"{key}={value!r}" for key, value in values.items() if key != "draw")
    step.__name__ = step.__qualname__ = f"{step.__qualname__.partition('.')[0]}({said})"
    return step


STEPS = st.one_of(
    publishing(), publishing(), publishing(), pulling(), pulling(), policies(), statuses(),
    turning(), starting_anew(),
)  # fmt: skip


@settings(
    max_examples=10,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    begin=st.lists(st.sampled_from(sorted(POLICIES)), min_size=3, max_size=3),
    steps=st.lists(STEPS, min_size=6, max_size=16),
)
def test_whatever_happens_the_invariants_hold(
    homes: Homes, begin: list[str], steps: list[Step]
) -> None:
    with homes.world() as world:
        for name, policy in zip(NAMES, begin, strict=True):
            world.set_policy(name, policy)
        for step in steps:
            step(world)
            world.work()
        world.check_stores()
        world.check_explanations()
        world.come_to_rest()
        world.check_stores()
        world.check_explanations()
        world.check_at_rest()
