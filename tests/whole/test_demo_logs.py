"""The demo's eye for logs: what is missing, unwitnessed, forged or not followed is a difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from comity.client.monitor.report import LogFinding, Report
from comity.client.verify.steps import Outcome as StepOutcome
from comity.client.verify.steps import Step, Verification
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.spiffe import Role, SpiffeId
from demo import terms
from demo.cards import load_cards
from demo.ceremony import Followed, Rotation, compare_followed, found_root, rotate_record_key
from demo.evidence import ELSEWHERE, UNWITNESSED, compare_found
from demo.expectation import HEADER, Expectation
from demo.institutes import INSTITUTES
from demo.logs import SeenLog, compare_logs, compare_reports, leaves
from demo.network import Member, make_home

AU, CA, DE, UK, US = (f"{short}.aisi.example" for short in ("au", "ca", "de", "uk", "us"))


@cache
def expectation() -> Expectation:
    return Expectation(load_cards(), datetime(2026, 5, 21, tzinfo=UTC), {})


def logs() -> dict[str, SeenLog]:
    """Return what the nodes show of their logs if all went as it must."""
    return {i: SeenLog(leaves(i), bytes(32), terms.witnesses(i), ()) for i in terms.IDS}


def reports() -> dict[str, Report]:
    """Return what the monitor of the United States finds if all went as it must."""
    held = [name for name, section in expectation().holdings[US] if section == HEADER]
    issuers = [expectation().cards[name].issuer for name in held]
    return {
        i: Report(
            name=i,
            institute=i,
            size=leaves(i),
            cosigned=len(terms.witnesses(i)),
            shown=issuers.count(i),
            pending=0,
        )
        for i in terms.IDS
    }


def steps(**outcomes: StepOutcome) -> Verification:
    """Return a verification of some steps, all passed unless an outcome is given."""
    card = load_cards()[0]
    signer = SpiffeId(card.issuer, Role.NODE)
    record: Record = card.draft.sign(signer, SigningKey.generate())
    names = ("signature", "policy", "inclusion")
    taken = tuple(
        Step(number, name, "", outcomes.get(name, StepOutcome.OK), "")
        for number, name in enumerate(names, start=1)
    )
    return Verification(record, taken, (), None, ())


def found() -> dict[str, Verification]:
    """Return what checking the evidence and its copies comes to if all went as it must."""
    return {
        "": steps(),
        ELSEWHERE: steps(inclusion=StepOutcome.FAILED),
        UNWITNESSED: steps(policy=StepOutcome.UNKNOWN),
    }


def test_institutes_that_suspended_each_other_do_not_witness_each_other() -> None:
    assert DE not in terms.witnesses(AU)
    assert AU not in terms.witnesses(DE)
    assert terms.witnesses(UK) == set(terms.IDS) - {UK}


def test_nothing_is_found_where_all_logs_are_as_they_must_be() -> None:
    outcome = compare_logs(logs()) + compare_reports(expectation(), US, reports().values())
    assert outcome.differences == []
    assert outcome.checked == 11 * (1 + 11 + 1) + 11 * 5


def test_log_that_lacks_a_leaf_or_a_witness_or_has_one_too_many_is_found() -> None:
    seen = logs()
    seen[UK] = replace(seen[UK], size=4, witnesses=terms.witnesses(UK) - {CA})
    seen[AU] = replace(seen[AU], witnesses=terms.witnesses(AU) | {DE})
    assert compare_logs(seen).differences == [
        f"{DE} has cosigned the newest checkpoint of {AU}",
        f"the log of {UK} has 4 leaves, expected 5",
        f"{CA} has not cosigned the newest checkpoint of {UK}",
    ]


def test_alarm_is_found() -> None:
    seen = logs()
    seen[CA] = replace(seen[CA], alarms=("ROOT_REFUSED about uk.aisi.example",))
    assert compare_logs(seen).differences == [
        f"{CA} has alarms: ROOT_REFUSED about uk.aisi.example"
    ]


def test_what_a_monitor_found_or_could_not_see_is_found() -> None:
    seen = reports()
    seen[CA].findings.append(LogFinding("NOT_LOGGED", "record 12ab is not in the log"))
    seen[DE].problem = "no answer"
    del seen[UK]
    assert compare_reports(expectation(), US, seen.values()).differences == [
        f"the monitor of {US} on {CA}: record 12ab is not in the log",
        f"the monitor of {US} on {DE}: no answer",
        f"the monitor of {US} did not see the log of {UK}",
    ]


def test_log_that_does_not_add_up_is_found() -> None:
    seen = reports()
    must, seen[AU].shown = seen[AU].shown, 1
    assert compare_reports(expectation(), US, seen.values()).differences == [
        f"the monitor of {US} on {AU}: 1 records shown to it, expected {must}"
    ]


def test_evidence_must_pass_and_each_copy_be_caught_by_its_own_step() -> None:
    assert compare_found(found()).differences == []


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"": steps(policy=StepOutcome.UNKNOWN)}, "evidence: step 2, policy: "),
        (
            {ELSEWHERE: steps()},
            "evidence-elsewhere is valid by no step, expected invalid by inclusion",
        ),
        (
            {UNWITNESSED: steps(signature=StepOutcome.FAILED)},
            "evidence-unwitnessed is invalid by signature, expected unverifiable by policy",
        ),
    ],
)
def test_evidence_that_is_judged_otherwise_is_found(
    changed: dict[str, Verification], difference: str
) -> None:
    assert compare_found(found() | changed).differences == [difference]


@pytest.fixture
def rotation(tmp_path: Path) -> Rotation:
    """Change the record key of a home with a root, as the demo does."""
    institute = next(institute for institute in INSTITUTES if institute.id == UK)
    member = Member(institute, tmp_path, "127.0.0.1:7000")
    make_home(member)
    found_root(member)
    return rotate_record_key(member)


def test_peer_that_did_not_follow_or_took_a_card_of_the_old_key_is_found(
    rotation: Rotation,
) -> None:
    old, new = (key.keyid for key in rotation.root.profile.record_keys)
    assert any(line == f"+ record key {new}" for line in rotation.changes)
    before = rotation.root.profile.model_copy(
        update={"record_keys": rotation.root.profile.record_keys[:1]}
    )
    followed = {CA: Followed(rotation.root.profile, new), DE: Followed(before, old)}
    outcome = compare_followed(rotation, followed)
    assert outcome.checked == 4
    assert outcome.differences == [
        f"{DE} did not follow the root of {UK}",
        f"{DE} took the last card under {old}, expected {new}",
    ]
