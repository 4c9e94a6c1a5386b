"""Steps of a random network: what institutes may do next, as hypothesis draws it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from comity.policies.facts import PeerStatus
from tests.support.random_network import RandomNetwork
from tests.support.record_plans import RecordPlan
from tests.support.reference_policies import POLICIES
from tests.support.reference_view import NAMES

Step = Callable[[RandomNetwork], object]

PAIRS = [(one, other) for one in NAMES for other in NAMES if one != other]

DOMAINS = ["bio", "cyber"]

KINDS, SECTIONS = ["model-card", "evaluation"], ["limitations", "risks"]

# most happens between the same two, so that what happens to them adds up
institutes = st.sampled_from([NAMES[0], *NAMES])

holders = st.sampled_from([*NAMES[:1] * 3, *NAMES])

pairs = st.sampled_from([*PAIRS[:1] * 4, *PAIRS])

asking = st.sampled_from(["balanced", "like-for-like", "graduated", "treaty", "trusted"])

giving = st.sampled_from(["open", "open", "balanced"])

names_of_policies = st.one_of(asking, st.sampled_from(sorted(POLICIES)))


def one_in(number: int) -> st.SearchStrategy[bool]:
    return st.integers(1, number).map(lambda n: n == number)


@st.composite
def handlings(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a record's release conditions; an embargo in seconds."""
    labels = ["CLEAR", "GREEN", "GREEN", "AMBER", "RED"]
    handling: dict[str, Any] = {"tlp": draw(st.sampled_from(labels))}
    if draw(one_in(4)) or handling["tlp"] in ("AMBER", "RED"):
        handling["releasableTo"] = sorted(draw(st.sets(st.sampled_from(NAMES))))
    if handling["tlp"] != "RED":
        handling["onward"] = draw(st.booleans())
    if draw(one_in(4)):
        handling["embargo"] = 100
    if draw(one_in(5)):
        handling["purposes"] = draw(st.sampled_from([["research"], ["policy", "research"]]))
    return handling


@st.composite
def narrowings(draw: st.DrawFn, handling: dict[str, Any]) -> dict[str, Any]:
    """Draw what is stricter for one section."""
    listed = handling.get("releasableTo", NAMES)
    choices: list[dict[str, Any]] = [
        {},
        {},
        {"onward": False},
        {"embargo": 200},
        {"releasableTo": sorted(draw(st.sets(st.sampled_from(listed)))) if listed else []},
        {"purposes": ["research"]},
        {"tlp": "RED", "onward": False},
    ]
    return draw(st.sampled_from(choices))


@st.composite
def record_plans(draw: st.DrawFn) -> RecordPlan:
    handling = draw(st.one_of(st.just({"tlp": "GREEN", "onward": True}), handlings()))
    return RecordPlan(
        kind=draw(st.sampled_from(KINDS)),
        tags=draw(st.sampled_from([("share",), ()])),
        handling=handling,
        risks=draw(narrowings(handling)),
        severity=draw(st.sampled_from(["high", "critical"])),
        domain=draw(st.sampled_from(DOMAINS)),
        renames=draw(st.booleans()),
    )


@st.composite
def publishing(draw: st.DrawFn) -> Step:
    issuer, which, count = draw(institutes), draw(st.integers(0, 2)), draw(st.integers(1, 4))
    substance, exchange = draw(st.sampled_from([*SECTIONS, "none"])), draw(one_in(3))

    def publish(network: RandomNetwork) -> None:
        network.publish(issuer, which, substance, count)
        if exchange:
            network.pull_all()

    return named(publish, locals())


@st.composite
def publishing_again(draw: st.DrawFn) -> Step:
    issuer, which = draw(institutes), draw(st.integers(0, 20))
    substance = draw(st.sampled_from([*SECTIONS, "none", "none"]))
    supersedes, exchange = draw(st.booleans()), draw(st.booleans())

    def publish_again(network: RandomNetwork) -> None:
        network.publish_again(issuer, which, substance, supersedes=supersedes)
        if exchange:
            network.pull_all()

    return named(publish_again, locals())


@st.composite
def publishing_meanwhile(draw: st.DrawFn) -> Step:
    """Draw a publication while nothing is given to a peer, or to anyone."""
    holder, peer = draw(pairs)
    which, suspends = draw(st.integers(0, 2)), draw(st.booleans())

    def publish_meanwhile(network: RandomNetwork) -> None:
        if suspends:
            network.set_status(holder, peer, PeerStatus.SUSPENDED)
        else:
            network.set_policy(holder, "nothing")
        network.work()
        network.publish(holder, which, "none", 1)
        network.work()
        if suspends:
            network.set_status(holder, peer, PeerStatus.MEMBER)
        else:
            network.set_policy(holder, "open")

    return named(publish_meanwhile, locals())


@st.composite
def withdrawing(draw: st.DrawFn) -> Step:
    issuer, which = draw(institutes), draw(st.integers(0, 20))
    handling = {"tlp": draw(st.sampled_from(["CLEAR", "GREEN"])), "onward": True}
    notice = RecordPlan("withdrawal", draw(st.sampled_from([("share",), ()])), handling)
    return named(lambda network: network.withdraw(issuer, which, notice), locals())


@st.composite
def pulling(draw: st.DrawFn) -> Step:
    receiver, sender = draw(pairs)
    lose_receipts = draw(one_in(4))
    return named(lambda w: w.pull(receiver, sender, lose_receipts=lose_receipts), locals())


@st.composite
def starting_anew(draw: st.DrawFn) -> Step:
    receiver, sender = draw(pairs)
    return named(lambda network: network.start_anew(receiver, sender), locals())


@st.composite
def policies(draw: st.DrawFn) -> Step:
    holder, name = draw(holders), draw(names_of_policies)
    return named(lambda network: network.set_policy(holder, name), locals())


@st.composite
def haste(draw: st.DrawFn) -> Step:
    holder, first = draw(holders), draw(st.sampled_from(["tagged", "tagged", "open"]))
    second = draw(st.one_of(st.just("balanced"), names_of_policies))
    return named(lambda network: network.change_policy_in_haste(holder, first, second), locals())


@st.composite
def statuses(draw: st.DrawFn) -> Step:
    holder, peer = draw(pairs)
    status = draw(st.sampled_from([PeerStatus.MEMBER, *PeerStatus]))
    return named(lambda network: network.set_status(holder, peer, status), locals())


@st.composite
def terms(draw: st.DrawFn) -> Step:
    holder, peer = draw(pairs)
    # mostly one of the two changes, since either has everything decided anew
    groups = draw(st.sampled_from([{"joint-testing"}, {"joint-testing"}, set[str](), {"press"}]))
    clearances = draw(st.sampled_from([{"bio"}, {"bio"}, set[str](), {"bio", "cyber"}]))
    return named(lambda network: network.set_terms(holder, peer, groups, clearances), locals())


@st.composite
def treaties(draw: st.DrawFn) -> Step:
    holder, party = draw(pairs)
    kinds = draw(st.sets(st.sampled_from(KINDS)))
    sections = draw(st.one_of(st.just(set[str]()), st.sets(st.sampled_from(SECTIONS))))
    start = draw(st.sampled_from([0, 0, 60]))
    end = draw(st.sampled_from([0, 65, 150]))
    return named(
        lambda network: network.add_treaty(holder, party, kinds, sections, start, end), locals()
    )


@st.composite
def ending_treaties(draw: st.DrawFn) -> Step:
    holder, which = draw(holders), draw(st.integers(0, 3))
    return named(lambda network: network.end_treaty(holder, which), locals())


@st.composite
def turning(draw: st.DrawFn) -> Step:
    seconds = draw(st.sampled_from([60, 150, -30]))
    return named(lambda network: network.turn(seconds), locals())


def named(step: Callable[[RandomNetwork], object], values: dict[str, Any]) -> Step:
    """Give a step a name that says what it does, for a failing example."""
    said = ", ".join(f"{k}={v!r}" for k, v in values.items() if k != "draw" and not callable(v))
    step.__name__ = step.__qualname__ = f"{step.__qualname__.partition('.')[0]}({said})"
    return step


STEPS = st.one_of(
    publishing(), publishing(), publishing(), publishing_again(), publishing_again(),
    publishing_again(), publishing_meanwhile(), withdrawing(), pulling(),
    st.just(RandomNetwork.pull_all), starting_anew(), policies(), policies(), haste(), haste(),
    statuses(), terms(), terms(),
    treaties(), ending_treaties(), turning(), turning(),
)  # fmt: skip
