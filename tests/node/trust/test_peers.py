"""Peers' terms: what was agreed with them, and how operators file them for policies to go by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from comity.node.database.tables import PeerRow
from comity.node.policy.facts import facts_of
from comity.node.policy.versions import policy_in_force
from comity.node.server.background import contact
from comity.node.trust.peers import AgreedTerms, get_peer
from comity.node.trust.pins import read_pin
from comity.policies.facts import PeerFacts, PeerStatus
from comity.record.errors import (
    BadBundle,
    BadPolicy,
    ComityError,
    Conflict,
    InvalidInput,
    LimitExceeded,
    MalformedJson,
    NotFound,
)
from comity.record.limits import MAX_ROOT_BYTES
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.network import command, network, run, until

UK, CA = "uk.aisi.example", "ca.aisi.example"

GROUPED = """
@id("joint-testing") permit (principal, action, resource)
when { principal.groups.contains("joint-testing") };
@id("bio") forbid (principal, action, resource)
when { resource.section == "risks" }
unless { principal.clearances.contains("bio") };
"""


@pytest.fixture
def pair(tmp_path: Path, new_database: NewDatabase) -> Iterator[list[Institute]]:
    """Yield uk and ca; the policy gives to a group, and risks to those cleared for them."""
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=GROUPED) as made:
        yield made


def facts(one: Institute, peer: Institute) -> PeerFacts:
    with one.node.store.read() as session:
        return facts_of(session, get_peer(session, peer.name))


def test_policy_goes_by_group_and_clearance_as_soon_as_they_are_set(pair: list[Institute]) -> None:
    uk, ca = pair
    uk.publish(card())
    assert uk.released(ca) == []
    uk.node.change_peer(CA, None, AgreedTerms(groups=["joint-testing"]))
    assert [name for _, name in uk.released(ca)] == ["", "limitations"]
    uk.node.change_peer(CA, None, AgreedTerms(clearances=["bio"]))
    assert [name for _, name in uk.released(ca)] == ["", "limitations", "risks"]


def test_a_group_that_is_taken_away_stops_what_comes_later(pair: list[Institute]) -> None:
    uk, ca = pair
    uk.node.change_peer(CA, None, AgreedTerms(groups=["joint-testing"]))
    uk.publish(card())
    uk.node.change_peer(CA, None, AgreedTerms(groups=[]))
    uk.publish(card())
    assert len(uk.released(ca)) == 2


def test_what_is_not_named_stays_as_it_was_also_when_a_bundle_is_pinned_anew(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    uk.node.change_peer(CA, PeerStatus.PROBATION, AgreedTerms(["research"], ["g7"], ["bio", "bio"]))
    uk.node.change_peer(CA, None, AgreedTerms(groups=["g20"]))
    uk.node.add_peer(ca.node.bundle, PeerStatus.PROBATION)
    found = facts(uk, ca)
    assert found.status is PeerStatus.PROBATION
    words = [sorted(words) for words in (found.purposes, found.groups, found.clearances)]
    assert words == [["research"], ["g20"], ["bio"]]


@pytest.mark.parametrize("field", ["purposes", "groups", "clearances"])
def test_words_are_bounded_and_printable(pair: list[Institute], field: str) -> None:
    uk, ca = pair
    before = facts(uk, ca)
    with pytest.raises(LimitExceeded, match=f"{field}: expected at most 64"):
        uk.node.change_peer(CA, None, AgreedTerms(**{field: [f"word-{n}" for n in range(65)]}))
    for word in ("", "x" * 257, "nul\x00", "\ud800", "two\nlines"):
        with pytest.raises(InvalidInput, match=f"{field}: expected"):
            uk.node.change_peer(CA, PeerStatus.SUSPENDED, AgreedTerms(**{field: [word]}))
    assert facts(uk, ca) == before


def test_a_peer_that_was_removed_or_never_was_cannot_be_changed(pair: list[Institute]) -> None:
    uk, _ = pair
    uk.node.set_peer_status(CA, PeerStatus.REMOVED)
    for peer in (CA, "fr.aisi.example", "a\x00b"):
        with pytest.raises(NotFound):
            uk.node.change_peer(peer, None, AgreedTerms(groups=["g7"]))


def test_what_an_operator_gets_wrong_is_refused_by_name_and_changes_nothing(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    own, before = uk.node.bundle, facts(uk, ca)
    wrong: list[tuple[type[ComityError], Callable[[], object]]] = [
        (LimitExceeded, lambda: read_pin(b" " * (MAX_ROOT_BYTES + 1))),
        (LimitExceeded, lambda: uk.node.set_policy(" " * (300 << 10))),
        (BadBundle, lambda: read_pin(b"{}")),
        (MalformedJson, lambda: read_pin(b"\xff")),
        (Conflict, lambda: uk.node.add_peer(own)),
        (BadPolicy, lambda: uk.node.set_policy("permit (everything);")),
        (BadPolicy, lambda: uk.node.set_policy("\x00")),
    ]
    for expected, change in wrong:
        with pytest.raises(expected):
            change()
    with uk.node.store.read() as session:
        assert policy_in_force(session).policy.text == GROUPED
    assert facts(uk, ca) == before


def test_operators_set_terms_by_command(tmp_path: Path) -> None:
    async def test() -> None:
        async with network(tmp_path, UK, CA) as [uk, _]:
            code, out, _ = await command(
                uk, "peers", "set", CA, "--clearance", "bio", "--no-groups", "--status", "probation"
            )
            shown = dict(line.split(None, 1) for line in out.splitlines())
            assert (code, shown["groups"], shown["clearances"]) == (0, "none", "bio")
            assert shown["status"] == "probation"
            for words_ in (("--group", "a", "--no-groups"), (), ("--status", "removed")):
                code, _, err = await command(uk, "peers", "set", CA, *words_)
                assert (code, err.startswith("error: ")) == (1, True)

    run(test())


def test_a_peer_with_nothing_to_give_is_still_in_contact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact, "CONTACT_SECONDS", 1)

    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, _):
            connected = await until(lambda: uk.rows(PeerRow)[0].contact_time, "a connection")
            await until(lambda: uk.rows(PeerRow)[0].contact_time > connected, "a heartbeat noted")

    run(scenario())
