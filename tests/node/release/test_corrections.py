"""Corrections: a new version of what a peer has does not wait for standing; nothing else goes."""

from __future__ import annotations

import random

import pytest

from comity.node.release.preview import Effect
from comity.record.record import Record
from tests.support.drafts import card
from tests.support.institutes import Institute
from tests.support.releases import (
    ALLOWANCE_OF_TWO,
    OPEN,
    WHOLE,
    counted,
    explained,
    preview,
    release_all,
    sections,
)
from tests.support.standing import row

UK, CA = "uk.aisi.example", "ca.aisi.example"

RISKS_LAST = """
@id("members") permit (principal, action, resource);
@id("ratio") forbid (principal, action, resource)
unless { context.given < 2 };
@id("risks") forbid (principal, action, resource)
when { resource.section == "risks" }
unless { context.given < 1 };
"""
"""Two records without a return; risks only as long as nothing was given."""


def publish(one: Institute, *names: str) -> list[Record]:
    records = [one.publish(card(name)) for name in names]
    release_all(one)
    return records


def correct(one: Institute, record: Record, name: str) -> Record:
    """Publish a new version of a record, about the subject of that name."""
    fresh = one.publish(card(name, supersedes=record.record_id))
    release_all(one)
    return fresh


def test_a_new_version_goes_out_where_the_balance_is_used_up(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    one, _, three = publish(uk, "one", "two", "three")
    assert sections(uk, ca, three.record_id) == set()
    fresh = correct(uk, one, "one")
    assert sections(uk, ca, fresh.record_id) == WHOLE
    newest = correct(uk, fresh, "one")
    assert sections(uk, ca, newest.record_id) == WHOLE
    # it uses nothing up, and frees nothing
    assert row(uk, ca).given + row(uk, ca).pending == 2
    assert sections(uk, ca, three.record_id) == set()


def test_a_new_version_passes_those_that_wait_before_it(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    [one] = publish(uk, "one")
    # both wait in one class when the release runs, which standing allows one record of
    first = [uk.sign(card(f"other-{number}")) for number in range(3)]
    fresh = uk.sign(card("one", supersedes=one.record_id))
    uk.node.publish_all([*first, fresh])
    release_all(uk)
    assert sections(uk, ca, fresh.record_id) == WHOLE
    assert sum(bool(sections(uk, ca, record.record_id)) for record in first) == 1


def test_a_correction_is_given_once_and_also_once_the_balance_is_better(
    fresh_pair: list[Institute],
) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    one, _, three = publish(uk, "one", "two", "three")
    fresh = correct(uk, one, "one")
    ca.node.set_policy(OPEN)
    publish(ca, "theirs", "more")
    uk.pull(ca)
    release_all(uk)
    assert sections(uk, ca, three.record_id) == WHOLE
    released = uk.released(ca)
    assert len(released) == len(set(released))
    assert sections(uk, ca, fresh.record_id) == WHOLE


def test_a_version_about_another_subject_waits_for_the_balance(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    one, _ = publish(uk, "one", "two")
    assert sections(uk, ca, correct(uk, one, "another").record_id) == set()


def test_another_record_about_the_same_subject_waits_for_the_balance(
    fresh_pair: list[Institute],
) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    publish(uk, "one", "two")
    [again] = publish(uk, "one")
    assert sections(uk, ca, again.record_id) == set()


def test_a_new_version_of_what_the_peer_never_got_waits(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    *_, three = publish(uk, "one", "two", "three")
    assert sections(uk, ca, correct(uk, three, "three").record_id) == set()


def test_a_correction_brings_no_section_that_was_withheld_before(
    fresh_pair: list[Institute],
) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(RISKS_LAST)
    one, two = publish(uk, "one", "two")
    assert sections(uk, ca, one.record_id) == WHOLE
    assert sections(uk, ca, two.record_id) == WHOLE - {"risks"}
    assert sections(uk, ca, correct(uk, two, "two").record_id) == WHOLE - {"risks"}


def test_handling_and_other_rules_hold_for_corrections_too(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    one, _ = publish(uk, "one", "two")
    secret = uk.publish(
        card("one", tlp="AMBER", releasable_to=["fr.aisi.example"], supersedes=one.record_id)
    )
    release_all(uk)
    assert sections(uk, ca, secret.record_id) == set()


def test_explanation_says_why_a_correction_goes(fresh_pair: list[Institute]) -> None:
    uk, ca = fresh_pair
    uk.node.set_policy(ALLOWANCE_OF_TWO)
    one, two = publish(uk, "one", "two")
    fresh = correct(uk, one, "one")
    told = explained(uk, ca, fresh)
    assert all(part.allowed and part.release_time for part in told.values())
    other = explained(uk, ca, correct(uk, two, "another"))
    assert not any(part.allowed for part in other.values())


@pytest.mark.parametrize("seed", range(2))
def test_preview_counts_the_corrections_that_release_then_gives(
    fresh_pair: list[Institute], seed: int
) -> None:
    uk, ca = fresh_pair
    dice = random.Random(seed)
    policies = [ALLOWANCE_OF_TWO, RISKS_LAST, OPEN, "// nothing is permitted\n"]
    uk.node.set_policy(OPEN)
    known = publish(uk, "model-0", "model-1")
    for step in range(8):
        for number in range(3):
            before = dice.choice([None, *known])
            name = dice.choice(["model-0", "model-1", f"fresh-{step}-{number}"])
            supersedes = before.record_id if before else None
            known.append(uk.publish(card(name, supersedes=supersedes)))
        release_all(uk)
        released, text = uk.released(ca), dice.choice(policies)
        said = preview(uk, text)[CA]
        uk.node.set_policy(text)
        fresh = uk.released(ca)[len(released) :]
        assert len(uk.released(ca)) == len(set(uk.released(ca)))
        told = counted(said, Effect.GAINED)[:2]
        assert told == (len(fresh), sum(not section for _, section in fresh)), text
