"""The door: what an institute publishes is taken whole and once, or refused by name.

Records come as a person's tools send them: from a file, and by PublishRecord over mutual TLS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from comity.client.drafts.draft import Draft
from comity.client.files import load_record
from comity.record.errors import InvalidInput
from comity.record.record import Record
from comity.record.spiffe import Role, SpiffeId
from comity.record.wire import record_to_proto
from comity.v1 import record_pb2, records_service_pb2_grpc
from comity.v1 import records_service_pb2 as records
from tests.support.drafts import card
from tests.support.hostile_calls import UK, contents, operating, refusal
from tests.support.network import run
from tests.support.paths import VECTORS
from tests.vectors.forged import DEFECTS
from tests.vectors.forger import Forger


@dataclass
class Aftermath:
    """What became of the attempts to publish bad records."""

    refusals: dict[str, ErrorInfo] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """Publish every forged record, and one without its disclosures, at one node."""
    found = Aftermath()

    async def scenario() -> None:
        async with operating(tmp_path_factory.mktemp("client")) as (uk, line):
            uk.node.publish(uk.sign(card()))
            found.before = contents(uk)
            forger = Forger(SpiffeId(UK, Role.NODE), uk.node.key)
            forged = {name: defect.make(forger) for name, defect in DEFECTS.items()}
            forged["undisclosed"] = record_to_proto(Record(forger.record().envelope))
            for name, record in forged.items():
                found.refusals[name] = await refusal(publish(line, record))
            found.after = contents(uk)

    run(scenario())
    return found


async def publish(line: grpc.aio.Channel, record: record_pb2.Record) -> Any:
    request = records.PublishRecordRequest(record=record)
    return await records_service_pb2_grpc.RecordsServiceStub(line).PublishRecord(request)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_bad_record_is_refused_with_reason_field_and_limit(
    aftermath: Aftermath, name: str
) -> None:
    expected, got = DEFECTS[name], aftermath.refusals[name]
    assert (got.reason, got.metadata["field"]) == (expected.reason, expected.field)
    if expected.limit:
        assert got.metadata["limit"] == expected.limit
        assert 0 < int(got.metadata["maximum"]) < int(got.metadata["got"])


def test_a_record_is_not_published_without_all_its_disclosures(aftermath: Aftermath) -> None:
    assert aftermath.refusals["undisclosed"].reason == "BAD_DISCLOSURE"


def test_bad_records_change_nothing_here(aftermath: Aftermath) -> None:
    assert aftermath.before["record"]
    assert aftermath.after == aftermath.before


def test_a_record_published_twice_is_stored_and_logged_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with operating(tmp_path) as (uk, line):
            record = record_to_proto(uk.sign(card()))
            first = await publish(line, record)
            before = contents(uk)
            again = await publish(line, record)
            assert (first.already_stored, again.already_stored) == (False, True)
            assert again.log_index == first.log_index
            assert contents(uk) == before

    run(scenario())


@pytest.mark.parametrize(
    ("draft", "where"),
    [
        (card(tags=["a\nissuer  x"]), "predicate.tags[0]"),
        (card(name="a\x1b[2J"), "subject[0].name"),
        (
            card(references=[{"record": "a" * 64, "relation": "refines\nproof  ok"}]),
            "predicate.references[0].relation",
        ),
        (
            card(sections={"risks": [{"domain": "bio\u2028ok", "scenario": "Uplift."}]}),
            "predicate.sections[0].domains[0]",
        ),
    ],
)
def test_a_record_with_control_characters_in_a_name_is_refused(
    draft: Draft, where: str, tmp_path: Path
) -> None:
    async def scenario() -> None:
        async with operating(tmp_path) as (uk, line):
            refused = await refusal(publish(line, record_to_proto(uk.sign(draft))))
            assert (refused.reason, refused.metadata["field"]) == ("MALFORMED_STATEMENT", where)

    run(scenario())


FILES = {
    "not_json": ("MALFORMED_JSON", "record"),
    "duplicate_key": ("MALFORMED_JSON", "record"),
    "not_a_number": ("MALFORMED_JSON", "record"),
    "deep": ("LIMIT_EXCEEDED", "record"),
    "no_envelope": ("MALFORMED_ENVELOPE", "signatures"),
    "envelope_is_a_list": ("MALFORMED_ENVELOPE", "envelope"),
    "payload_is_a_number": ("MALFORMED_ENVELOPE", "payload"),
    "payload_is_broken_base64": ("MALFORMED_ENVELOPE", "payload"),
    "signature_is_broken_base64": ("MALFORMED_ENVELOPE", "signatures[0].sig"),
    "signature_is_no_object": ("MALFORMED_ENVELOPE", "signatures[0].keyid"),
    "no_keyid": ("MALFORMED_ENVELOPE", "signatures[0].keyid"),
    "no_signatures": ("MALFORMED_ENVELOPE", "signatures"),
    "two_signatures": ("MALFORMED_ENVELOPE", "signatures"),
    "disclosures_are_an_object": ("MALFORMED_JSON", "disclosures"),
    "disclosures_hold_a_number": ("MALFORMED_JSON", "disclosures"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_record_file_is_refused_with_reason_file_and_field(name: str) -> None:
    path, (reason, where) = VECTORS / f"{name}.record.json", FILES[name]
    with pytest.raises(InvalidInput) as caught:
        load_record(path)
    assert (caught.value.reason, caught.value.field) == (reason, f"{path}: {where}")


def test_every_bad_record_file_is_tried() -> None:
    assert {path.name for path in VECTORS.glob("*.record.json")} == {
        f"{n}.record.json" for n in FILES
    }
