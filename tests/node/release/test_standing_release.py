"""A policy that reads what was rejected, or credit, decides by them from the next release on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from comity.node.home.folder import Home
from comity.node.node import Node
from comity.record.errors import BadSignature
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute
from tests.support.standing import refuse

YEAR = 366 * 86_400

BLAMELESS = """
@id("blameless") permit (principal, action, resource)
when { context.rejected == 0 };
"""
CREDITED = """
@id("credited") permit (principal, action, resource)
when { context.credit > 1 };
"""
WEIGHT = "[standing.weights]\n"


@contextmanager
def started_anew(one: Institute, weights: str) -> Iterator[Institute]:
    """Yield an institute as it is once its node is started with other weights."""
    file = one.node.home.path / "comity.toml"
    file.write_text(file.read_text().partition(WEIGHT)[0] + WEIGHT + weights)
    node = Node(Home(one.node.home.path), one.node.clock)
    try:
        yield Institute(node)
    finally:
        node.close()


def headers(one: Institute, peer: Institute) -> list[str]:
    """Return the ids of the records that were released to a peer, in order."""
    return [record_id for record_id, name in one.released(peer) if not name]


def test_what_a_peer_sent_and_was_refused_withholds_until_it_is_no_longer_recent(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    uk.node.set_policy(BLAMELESS)
    first = uk.publish(card("one")).record_id
    assert headers(uk, ca) == [first]
    refuse(uk, ca, ca.sign(card("bad")).envelope.payload, BadSignature("bad"))
    second = uk.publish(card("two")).record_id
    assert headers(uk, ca) == [first]
    clock.turn(YEAR)
    assert uk.node.release() == 3
    assert headers(uk, ca) == [first, second]


def test_counting_what_was_given_decides_nothing_anew_where_no_rule_asks_for_it(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    uk.node.set_policy(BLAMELESS)
    uk.publish(card("one"))
    assert uk.released(ca)
    assert not uk.is_release_due(ca)


def test_other_weights_release_and_withhold_from_when_the_node_is_started_with_them(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    uk.node.set_policy(CREDITED)
    ca.publish(card("theirs", kind="evaluation"))
    uk.pull(ca)
    first = uk.publish(card("one")).record_id
    assert headers(uk, ca) == []
    with started_anew(uk, "evaluation = 2\n") as weighed:
        assert weighed.node.release() == 3
        assert headers(weighed, ca) == [first]
    with started_anew(uk, "evaluation = 1\n") as weighed:
        weighed.publish(card("two"))
        assert headers(weighed, ca) == [first]
