"""What a new own record may say of other records, and what its author is warned of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comity.client.drafts.draft import Draft
from comity.node.database.tables import LogEntryRow
from comity.record.errors import Conflict, MalformedStatement, WrongIssuer
from tests.support.databases import NewDatabase
from tests.support.drafts import card, guidance
from tests.support.institutes import HandClock, Institute, institutes

UK, CA = "uk.aisi.example", "ca.aisi.example"


@pytest.fixture
def pair(tmp_path: Path, new_database: NewDatabase) -> Iterator[list[Institute]]:
    with institutes(tmp_path, HandClock(), new_database, UK, CA) as both:
        both[0].node.set_policy("""@id("all") permit (principal, action, resource);""")
        yield both


def warnings(one: Institute, draft: Draft) -> tuple[str, ...]:
    return one.node.publish(one.sign(draft)).warnings


def notice(record_id: str, **more: Any) -> Draft:
    named = [{"record": record_id, "relation": "withdraws"}]
    return card("notice", kind="withdrawal", references=named, sections={}, **more)


def test_a_record_of_another_institute_is_neither_withdrawn_nor_superseded(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    record = uk.publish(card())
    ca.pull(uk)
    logged = len(ca.rows(LogEntryRow))
    with pytest.raises(WrongIssuer, match=f"expected a record of {CA} itself, got .* of {UK}"):
        ca.publish(notice(record.record_id))
    with pytest.raises(WrongIssuer, match=r"predicate\.supersedes"):
        ca.publish(card(supersedes=record.record_id))
    assert len(ca.rows(LogEntryRow)) == logged


def test_a_record_of_another_kind_is_not_superseded(pair: list[Institute]) -> None:
    uk, _ = pair
    record = uk.publish(guidance())
    with pytest.raises(MalformedStatement, match="expected a record of kind model-card"):
        uk.publish(card(supersedes=record.record_id))


def test_a_record_that_is_not_held_is_told_of(pair: list[Institute]) -> None:
    uk, _ = pair
    [told] = warnings(uk, notice("ab" * 32))
    assert told == f"it names the record {'ab' * 32}, which this node does not hold"
    first = uk.sign(card())
    second = uk.sign(card(supersedes=first.record_id))
    published = uk.node.publish_all([first, second])
    assert [done.warnings for done in published] == [(), ()]


def test_handling_that_reaches_nobody_as_written_is_told_of(pair: list[Institute]) -> None:
    uk, _ = pair
    misspelt = {"tlp": "AMBER", "releasableTo": ["ca.aisi.exmaple"], "purposes": ["audit"]}
    told = warnings(uk, card(handling=misspelt | {"embargo": "2020-01-01T00:00:00Z"}))
    assert told == (
        "it is releasable to ca.aisi.exmaple, which is no peer of this node; "
        "did you mean ca.aisi.example?",
        "its embargo of 2020-01-01T00:00:00Z is over already",
        "no peer is bound to one of its purposes: audit",
    )


def test_a_card_without_sections_is_told_of(pair: list[Institute]) -> None:
    uk, _ = pair
    assert warnings(uk, card(sections={})) == (
        "it has no section, so it says nothing beyond title and summary",
    )


def test_content_that_was_published_is_refused_unless_it_stands_no_more(
    pair: list[Institute],
) -> None:
    uk, _ = pair
    first = uk.publish(card())
    for _ in range(2):
        with pytest.raises(Conflict, match=f"the same content was published as {first.record_id}"):
            uk.node.publish_all([uk.sign(card())], again=False)
    # the very record is no second one, and other content is other content
    uk.node.publish_all([first], again=False)
    uk.node.publish_all([uk.sign(card(title={"en": "Other"}))], again=False)
    uk.publish(notice(first.record_id))
    uk.node.publish_all([uk.sign(card())], again=False)
