"""Content: what policy may know of a section, whatever kind of record it is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comity.client.drafts.draft import Draft
from comity.node.records.filter import RecordFilter
from comity.node.records.search import search_records
from comity.node.trust.peers import AgreedTerms
from comity.policies.preset import load_preset
from comity.record import content
from comity.record.content import SECTION_MODELS, check_content, domains_and_severity
from comity.record.errors import BadContent, LimitExceeded
from comity.record.kind import Kind
from comity.record.limits import MAX_DOMAINS, MAX_NAME_CHARS
from comity.record.models import Model
from comity.record.severity import Severity
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, institutes

UK, CA = "uk.aisi.example", "ca.aisi.example"
CBRN = "nist-ai-600-1:cbrn"
KINDS = [kind for kind in Kind if kind is not Kind.WITHDRAWAL]
GRAVE = {"domain": CBRN, "scenario": "Uplift.", "severity": "critical"}


def record(kind: Kind, sections: dict[str, Any]) -> Draft:
    """Return a record with these sections."""
    value = card().to_value() | {"kind": str(kind), "sections": sections}
    return Draft.parse(value)


def facts(kind: Kind, value: Any, name: str = "risks") -> tuple[set[str], int]:
    """Return the domains and the severity that policy sees of a section."""
    domains, severity = domains_and_severity(check_content(kind, name, value))
    return set(domains), severity


def test_critical_content_of_any_kind_goes_to_who_is_cleared_and_to_no_other_member(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    policy = load_preset("graduated")
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=policy) as (uk, ca):
        told = [uk.publish(record(kind, {"risks": [GRAVE]})).record_id for kind in KINDS]
        headers = [(record_id, "") for record_id in told]
        assert uk.released(ca) == headers
        uk.node.change_peer(CA, None, AgreedTerms(clearances=[CBRN]))
        assert sorted(uk.released(ca)) == sorted([*headers, *((i, "risks") for i in told)])


def test_a_search_finds_what_a_record_of_any_kind_states(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK) as [uk]:
        told = uk.publish(record(Kind.INCIDENT, {"report": {"risks": [GRAVE]}})).record_id
        wanted = RecordFilter(domains=(CBRN,), min_severity="critical")
        with uk.node.store.read() as session:
            assert [row.record_id for row in search_records(session, wanted)[0]] == [told]


def test_what_plain_content_states_is_read_at_any_depth_and_the_gravest_counts() -> None:
    value = {
        "domain": "bio",
        "severity": "low",
        "findings": [{"severity": "high"}, [[{"at": {"domain": CBRN, "severity": "moderate"}}]]],
    }
    assert facts(Kind.INCIDENT, value) == ({"bio", CBRN}, 3)


def test_a_section_that_cards_have_no_model_for_is_read_too() -> None:
    assert facts(Kind.MODEL_CARD, [GRAVE], "red-teaming") == ({CBRN}, 4)


@pytest.mark.parametrize(
    "odd",
    [
        {"domain": "", "severity": ""},
        {"domain": "d" * (MAX_NAME_CHARS + 1), "severity": "enormous"},
        {"domain": ["bio"], "severity": 4},
        {"domain": None, "severity": {"critical": True}},
        "severity: critical",
        17,
        None,
    ],
)
def test_what_is_no_domain_and_no_severity_passes_through_unread(odd: Any) -> None:
    assert check_content(Kind.EVALUATION, "risks", [odd]) == [odd]
    assert facts(Kind.EVALUATION, [odd]) == (set(), 0)
    assert facts(Kind.EVALUATION, odd) == (set(), 0)


def test_more_domains_than_policy_can_be_told_of_are_refused_in_any_kind() -> None:
    value = [{"domain": f"d{number}"} for number in range(MAX_DOMAINS)]
    assert len(facts(Kind.DATASET, [*value, *value])[0]) == MAX_DOMAINS
    with pytest.raises(LimitExceeded, match=r"sections\.sources: .*MAX_DOMAINS") as caught:
        check_content(Kind.DATASET, "sources", [*value, {"domain": CBRN}])
    assert caught.value.field == "sections.sources"


class Report(Model):
    """A section that is one object, not a list."""

    domain: str
    severity: Severity


def test_a_kind_that_gets_content_models_is_checked_and_read_by_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = {**SECTION_MODELS, Kind.INCIDENT: {"report": Report}}
    monkeypatch.setattr(content, "SECTION_MODELS", models)

    grave = {"domain": CBRN, "severity": "critical"}
    assert facts(Kind.INCIDENT, grave, "report") == ({CBRN}, 4)
    with pytest.raises(BadContent, match=r"sections.report.severity"):
        check_content(Kind.INCIDENT, "report", {"domain": CBRN, "severity": "grave"})


def test_a_section_name_stands_for_one_model_in_every_kind() -> None:
    named = [pair for models in SECTION_MODELS.values() for pair in models.items()]
    assert len(dict(named)) == len({(name, str(model)) for name, model in named})
