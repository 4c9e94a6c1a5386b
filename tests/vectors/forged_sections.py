"""Records whose handling, disclosures or content are wrong in exactly one way."""

from __future__ import annotations

from typing import Any, Final

from comity.record.limits import (
    MAX_DISCLOSURE_BYTES,
    MAX_DOMAINS,
    MAX_RECORD_BYTES,
    MAX_SECTIONS,
)
from comity.record.record import Record
from comity.record.section import Disclosure
from comity.record.wire import record_to_proto
from comity.v1 import record_pb2
from tests.vectors.forger import Defect, Forger, registering

DEFECTS: Final[dict[str, Defect]] = {}
_defect = registering(DEFECTS)


@_defect("BAD_HANDLING", "handling.onward")
def red_and_onward(forger: Forger) -> record_pb2.Record:
    return forger.predicate(handling={"tlp": "RED", "onward": True})


@_defect("BAD_HANDLING", "predicate.sections[0].annotations.handling.tlp")
def section_looser_than_its_record(forger: Forger) -> record_pb2.Record:
    def loosen(statement: dict[str, Any]) -> None:
        statement["predicate"]["sections"][0]["annotations"] = {"handling": {"tlp": "CLEAR"}}

    return forger.statement(loosen)


@_defect("BAD_DISCLOSURE", "disclosures[0]")
def disclosure_of_another_record(forger: Forger) -> record_pb2.Record:
    return record_to_proto(Record(forger.record().envelope, forger.record().disclosures))


@_defect("BAD_DISCLOSURE", "disclosures[1]")
def disclosure_sent_twice(forger: Forger) -> record_pb2.Record:
    record = forger.record()
    return record_to_proto(Record(record.envelope, (record.disclosures[0],) * 2))


@_defect("BAD_DISCLOSURE", "disclosures[0]")
def disclosure_under_another_name(forger: Forger) -> record_pb2.Record:
    return forger.section(Disclosure.make("limitations", []).encoded, name="risks")


@_defect("BAD_DISCLOSURE", "disclosures[0]")
def disclosure_that_is_not_base64url(forger: Forger) -> record_pb2.Record:
    return forger.section(b"not base64!")


@_defect("BAD_DISCLOSURE", "disclosures[0]")
def disclosure_with_a_short_salt(forger: Forger) -> record_pb2.Record:
    return forger.section(b"WyJzYWx0Iiwicmlza3MiLFtdXQ")


@_defect("LIMIT_EXCEEDED", "disclosures[0]", "MAX_DISCLOSURE_BYTES")
def oversize_disclosure(forger: Forger) -> record_pb2.Record:
    return forger.section(b"A" * (MAX_DISCLOSURE_BYTES + 1))


@_defect("LIMIT_EXCEEDED", "disclosures", "MAX_SECTIONS")
def too_many_disclosures(forger: Forger) -> record_pb2.Record:
    return record_to_proto(Record(forger.record().envelope, (b"A",) * (MAX_SECTIONS + 1)))


@_defect("LIMIT_EXCEEDED", "record", "MAX_RECORD_BYTES")
def oversize_record(forger: Forger) -> record_pb2.Record:
    half = b"A" * (MAX_RECORD_BYTES // 2)
    return record_to_proto(Record(forger.record().envelope, (half, half)))


@_defect("BAD_CONTENT", "sections.risks[0].severity")
def content_against_its_model(forger: Forger) -> record_pb2.Record:
    risk = {"domain": "cbrn", "scenario": "Uplift.", "severity": "enormous"}
    return forger.section(Disclosure.make("risks", [risk]).encoded)


@_defect("LIMIT_EXCEEDED", "sections.risks", "MAX_DOMAINS")
def too_many_domains(forger: Forger) -> record_pb2.Record:
    risks = [{"domain": f"d{i}", "scenario": "x"} for i in range(MAX_DOMAINS + 1)]
    return forger.section(Disclosure.make("risks", risks).encoded)
