"""Treaties at work: what they release, from when until when, and what stands in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comity.node.database.tables import PartRow, ReleaseRow, RulingRow, TreatyRow
from comity.node.home.folder import Home
from comity.node.node import Node
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from comity.policies.treaty import Treaty
from comity.record.errors import Conflict, InvalidInput, LimitExceeded, NotFound
from comity.record.limits import MAX_TREATIES
from tests.support.databases import NewDatabase
from tests.support.drafts import card, guidance
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.network import network, run, until
from tests.support.releases import headers, sections, treaty

UK, CA, JP = "uk.aisi.example", "ca.aisi.example", "jp.aisi.example"
TREATY, OPEN = load_preset("treaty"), load_preset("open")
WHOLE = {"", "limitations", "risks"}


@pytest.fixture
def trio(tmp_path: Path, clock: HandClock, new_database: NewDatabase) -> Iterator[list[Institute]]:
    """Yield uk, ca and jp, who give only under treaties."""
    with institutes(tmp_path, clock, new_database, UK, CA, JP, policy=TREATY) as made:
        yield made


def rules(one: Institute, peer: Institute) -> list[str]:
    """Return the rules that released, once each, in order."""
    named = {row.ruling_id: row.rules for row in one.rows(RulingRow)}
    found = [named[row.ruling_id] for row in one.rows(ReleaseRow, peer=peer.name)]
    return list(dict.fromkeys(rule for names in found for rule in names))


def test_a_treaty_releases_what_it_covers_to_its_party_alone(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, ca, jp = trio
    record = uk.publish(card())
    uk.publish(guidance())
    assert uk.released(ca) == []
    uk.node.add_treaty(treaty(clock, kinds=["model-card"], sections=["risks"]))
    assert uk.released(ca) == [(record.record_id, ""), (record.record_id, "risks")]
    assert uk.released(jp) == []


def test_releases_name_the_treaty(trio: list[Institute], clock: HandClock) -> None:
    uk, ca, _ = trio
    uk.node.add_treaty(treaty(clock))
    uk.publish(card())
    assert rules(uk, ca) == ["treaty-exchange[uk-ca]"]
    assert {row.policy_digest for row in uk.rows(RulingRow)} == {uk.policy_digest()}


def test_a_second_treaty_releases_only_what_it_adds(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = trio
    record = uk.publish(card())
    uk.node.add_treaty(treaty(clock, sections=["limitations"]))
    before = uk.released(ca)
    uk.node.add_treaty(treaty(clock, "uk-ca-more", sections=["risks"]))
    assert uk.released(ca) == [*before, (record.record_id, "risks")]


def test_a_treaty_begins_and_ends_by_itself(trio: list[Institute], clock: HandClock) -> None:
    uk, ca, _ = trio
    uk.node.add_treaty(treaty(clock, start=60, end=120))
    uk.publish(card())
    uk.node.release()
    assert uk.released(ca) == []
    clock.turn(60)
    assert uk.node.release() == 3
    clock.turn(60)
    uk.publish(card("another"))
    assert headers(uk, ca) == 1
    assert uk.node.release() == 0


def test_start_and_end_are_due_for_the_party_alone(trio: list[Institute], clock: HandClock) -> None:
    uk, ca, jp = trio
    uk.node.add_treaty(treaty(clock, start=60, end=120))
    uk.node.release()
    for _ in range(2):
        assert not uk.is_release_due(ca)
        clock.turn(60)
        assert uk.is_release_due(ca)
        assert not uk.is_release_due(jp)
        uk.node.release()


def test_a_treaty_that_is_ended_gives_nothing_more_and_stays_on_record(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = trio
    uk.node.add_treaty(treaty(clock))
    first = uk.publish(card())
    clock.turn(10)
    uk.node.end_treaty("uk-ca")
    uk.publish(card("another"))
    assert {i for i, _ in uk.released(ca)} == {first.record_id}
    [row] = uk.rows(TreatyRow)
    assert (row.end_time, row.ended_time) == (None, clock.now)
    with pytest.raises(Conflict, match="is over since"):
        uk.node.end_treaty("uk-ca")


def test_a_treaty_that_was_ended_stays_so_when_the_clock_is_set_back(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = trio
    uk.node.add_treaty(treaty(clock))
    clock.turn(100)
    uk.node.end_treaty("uk-ca")
    uk.publish(card())
    clock.turn(-50)
    assert uk.node.release() == 0
    assert headers(uk, ca) == 0


def test_a_treaty_that_is_ended_before_its_start_never_begins(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = trio
    uk.publish(card())
    uk.node.add_treaty(treaty(clock, start=60))
    uk.node.end_treaty("uk-ca")
    clock.turn(120)
    uk.node.release()
    assert uk.released(ca) == []


def test_what_was_withheld_between_two_treaties_comes_with_the_second(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = trio
    uk.node.add_treaty(treaty(clock, end=60))
    uk.publish(card())
    clock.turn(60)
    record = uk.publish(card("another"))
    assert headers(uk, ca) == 1
    uk.node.add_treaty(treaty(clock, "uk-ca-2"))
    assert sections(uk, ca, record.record_id) == WHOLE
    assert len(uk.released(ca)) == 6


def test_a_treaty_is_nothing_to_a_policy_without_templates(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = trio
    uk.node.set_policy(OPEN)
    uk.publish(card())
    uk.node.add_treaty(treaty(clock))
    assert rules(uk, ca) == ["open-members"]
    uk.node.set_policy(TREATY)
    uk.publish(card("another"))
    assert rules(uk, ca) == ["open-members", "treaty-exchange[uk-ca]"]


def test_a_treaty_cannot_undo_handling(trio: list[Institute], clock: HandClock) -> None:
    uk, ca, _ = trio
    uk.node.add_treaty(treaty(clock))
    uk.publish(card(tlp="AMBER", releasable_to=[JP]))
    assert uk.released(ca) == []


def test_a_bad_treaty_is_refused_and_changes_nothing(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, _, _ = trio
    uk.node.add_treaty(treaty(clock))
    with pytest.raises(Conflict, match="expected a new id"):
        uk.node.add_treaty(treaty(clock, party=JP))
    with pytest.raises(NotFound, match=r"fr\.aisi\.example"):
        uk.node.add_treaty(treaty(clock, "uk-fr", "fr.aisi.example"))
    with pytest.raises(NotFound, match="no peer"):
        uk.node.add_treaty(treaty(clock, "uk-uk", UK))
    with pytest.raises(InvalidInput, match="lies ahead"):
        uk.node.add_treaty(treaty(clock, "past", start=-60, end=-30))
    uk.node.set_peer_status(JP, PeerStatus.REMOVED)
    with pytest.raises(NotFound, match="was removed"):
        uk.node.add_treaty(treaty(clock, "uk-jp", JP))
    with pytest.raises(NotFound, match="no treaty"):
        uk.node.end_treaty("unheard-of")
    assert [row.treaty_id for row in uk.rows(TreatyRow)] == ["uk-ca"]


def test_treaties_that_may_be_in_force_together_are_bounded(
    trio: list[Institute], clock: HandClock
) -> None:
    uk, _, _ = trio
    with uk.node.store.write() as session:
        for number in range(MAX_TREATIES):
            row = TreatyRow(
                treaty_id=f"t{number}",
                party=CA,
                kinds=[],
                sections=[],
                start_time=clock.now + number,
                end_time=clock.now + 10_000,
                added_time=clock.now,
            )
            session.add(row)
    with pytest.raises(LimitExceeded, match="MAX_TREATIES"):
        uk.node.add_treaty(treaty(clock))
    clock.turn(10)
    uk.node.add_treaty(treaty(clock))


def test_a_running_node_acts_on_a_treaty_kept_by_a_command(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA, policy="treaty") as (uk, ca):
            record = uk.sign(card())
            uk.node.publish(record)
            beside = Node(Home(uk.node.home.path))
            try:
                soon = HandClock().in_seconds(2)
                value = {"treatyId": "uk-ca", "party": CA, "kinds": [], "sections": []}
                beside.add_treaty(Treaty.parse(value | {"start": soon, "end": None}))
            finally:
                beside.close()
            await until(lambda: len(ca.rows(PartRow)) == 3, "the card at ca")
            [kept] = uk.rows(TreatyRow)
            assert all(row.release_time >= kept.start_time for row in uk.rows(ReleaseRow))

    run(scenario())
