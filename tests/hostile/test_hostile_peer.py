"""Peers whose records are bad: each is refused by name, and the good ones around it arrive.

A peer here is a real gRPC server with a real certificate of a pinned institute; see ``hostile``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from comity.node.database.tables import (
    HandlingClassRow,
    LogEntryRow,
    PartRow,
    QuarantineRow,
    RecordRow,
    RecordTagRow,
    StandingRow,
)
from comity.record.receipt import Receipt
from comity.record.record import Record
from comity.record.spiffe import Role, SpiffeId
from comity.record.wire import envelope_from_proto, record_to_proto
from comity.v1 import record_pb2
from tests.support.drafts import card
from tests.support.hostile_calls import CA, EVE
from tests.support.lying_peer import ACCEPTED, Liar, batch, deceived, in_a_row, lying, saying
from tests.support.network import make_home, run, until
from tests.vectors.forged import DEFECTS
from tests.vectors.forger import TAG, Defect, Forger

TOGETHER_BYTES = 6 << 20
"""Bad records of one batch, leaving room in a message for the good ones."""


def not_listed(forger: Forger) -> record_pb2.Record:
    return record_to_proto(forger.record(releasable_to=["fr.aisi.example"]))


def amber_without_a_list(forger: Forger) -> record_pb2.Record:
    return record_to_proto(forger.record(tlp="AMBER"))


def embargo_not_over(forger: Forger) -> record_pb2.Record:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    return record_to_proto(forger.record(handling={"embargo": f"{tomorrow:%Y-%m-%dT%H:%M:%SZ}"}))


def section_not_listed(forger: Forger) -> record_pb2.Record:
    stricter = {"tlp": "AMBER", "releasableTo": ["fr.aisi.example"]}
    record = forger.record(section_handling={"limitations": stricter, "risks": stricter})
    return record_to_proto(Record(record.envelope, record.disclosures[:1]))


LIST = "predicate.handling.releasableTo"
SECTION_LIST = "predicate.sections[0].annotations.handling.releasableTo"
REFUSED_HERE = {
    make.__name__: Defect(make, "NOT_RELEASABLE", where)
    for make, where in (
        (not_listed, LIST),
        (amber_without_a_list, LIST),
        (section_not_listed, SECTION_LIST),
    )
}
EMBARGO = "predicate.handling.embargo"
REFUSED_HERE["embargo_not_over"] = Defect(embargo_not_over, "UNDER_EMBARGO", EMBARGO)
ALL = DEFECTS | REFUSED_HERE


@dataclass
class Aftermath:
    """What a node holds after a peer has sent every bad record between good ones."""

    good: set[str] = field(default_factory=set)
    bad: dict[str, str] = field(default_factory=dict)
    quarantine: dict[str, QuarantineRow] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    rows: dict[type, list[Any]] = field(default_factory=dict)

    def another_good_record(self, liar: Liar) -> Record:
        record = liar.sign(card())
        self.good.add(record.record_id)
        return record


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    """Send every bad record, in batches that begin and end with a good one."""
    found = Aftermath()

    async def scenario() -> None:
        async with deceived(tmp_path_factory.mktemp("peer")) as (uk, ca):
            forger = Forger(SpiffeId(CA, Role.NODE), ca.key)
            bad = {name: defect.make(forger) for name, defect in ALL.items()}
            batches: list[list[Record | record_pb2.Record]] = [
                [found.another_good_record(ca), *some, found.another_good_record(ca)]
                for some in fitting(bad.values())
            ]
            ca.script = saying(ACCEPTED, *in_a_row(*batches))
            await until(lambda: len(ca.receipts) == len(batches), "all receipts")
            found.bad = {name: id_of(record) for name, record in bad.items()}
            found.quarantine = {row.record_id: row for row in uk.rows(QuarantineRow)}
            found.receipts = ca.receipts
            for table in (
                RecordRow,
                RecordTagRow,
                PartRow,
                HandlingClassRow,
                LogEntryRow,
                StandingRow,
            ):
                found.rows[table] = uk.rows(table)

    run(scenario())
    return found


def fitting(records: Iterable[record_pb2.Record]) -> list[list[record_pb2.Record]]:
    """Put records together as far as they fit into a message."""
    batches: list[list[record_pb2.Record]] = [[]]
    for record in records:
        size = sum(item.ByteSize() for item in batches[-1])
        if size + record.ByteSize() > TOGETHER_BYTES and batches[-1]:
            batches.append([])
        batches[-1].append(record)
    return batches


def id_of(record: record_pb2.Record) -> str:
    del record.envelope.signatures[:]
    record.envelope.signatures.add()
    return envelope_from_proto(record.envelope).record_id


@pytest.mark.parametrize("name", ALL)
def test_a_bad_record_is_quarantined_with_reason_field_and_limit(
    aftermath: Aftermath, name: str
) -> None:
    expected, row = ALL[name], aftermath.quarantine[aftermath.bad[name]]
    assert (row.peer, row.reason, row.count) == (CA, expected.reason, 1)
    assert row.message.startswith(f"{expected.field}: ")
    assert expected.limit in row.message


@pytest.mark.parametrize("name", ALL)
def test_the_sender_is_told_why_a_record_was_not_stored(aftermath: Aftermath, name: str) -> None:
    told = (r for receipt in aftermath.receipts for r in (*receipt.rejected, *receipt.waiting))
    reasons = {r.record: r.reason for r in told}
    assert reasons[aftermath.bad[name]] == ALL[name].reason


def test_good_records_before_and_after_bad_ones_arrive_and_are_signed_for(
    aftermath: Aftermath,
) -> None:
    assert {row.record_id for row in aftermath.rows[RecordRow]} == aftermath.good
    assert {i for receipt in aftermath.receipts for i in receipt.stored} == aftermath.good
    assert len(aftermath.quarantine) == len(ALL)


def test_bad_records_of_a_peer_leave_no_trace_in_the_store(aftermath: Aftermath) -> None:
    good = len(aftermath.good)
    assert len(aftermath.rows[PartRow]) == 3 * good
    assert aftermath.rows[RecordTagRow] == aftermath.rows[LogEntryRow] == []
    classes = aftermath.rows[HandlingClassRow]
    assert len(classes) == 3
    assert not any(TAG in row.facts for row in classes)
    # all good cards are about one subject, which counts once; the bad ones count against the peer
    received = {row.kind: row.received for row in aftermath.rows[StandingRow] if row.received}
    assert received == {"model-card": 1}
    assert sum(row.rejected for row in aftermath.rows[StandingRow]) > 0


def test_a_replayed_offer_is_stored_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            record = ca.sign(card())
            header = Record(record.envelope)
            ca.script = saying(ACCEPTED, *in_a_row([header, header], [record], [record, header]))
            await until(lambda: len(ca.receipts) == 3, "every receipt")
            assert [row.record_id for row in uk.rows(RecordRow)] == [record.record_id]
            assert [row.received for row in uk.rows(StandingRow)] == [1]
            assert len(uk.rows(PartRow)) == 3
            assert [r.stored for r in ca.receipts] == [(record.record_id,)] * 3
            assert uk.rows(QuarantineRow) == []

    run(scenario())


def test_one_bad_copy_of_a_record_does_not_keep_the_good_one_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            record = ca.sign(card())
            altered = Record(record.envelope, ca.sign(card()).disclosures)
            ca.script = saying(ACCEPTED, *in_a_row([altered, record, altered]))
            await until(lambda: ca.receipts, "the receipt")
            assert ca.receipts[0].stored == (record.record_id,)
            assert ca.receipts[0].rejected == ()
            assert len(uk.rows(PartRow)) == 3
            assert [row.reason for row in uk.rows(QuarantineRow)] == ["BAD_DISCLOSURE"]

    run(scenario())


def test_a_relay_gives_only_what_its_issuer_lets_it_pass_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca), lying(tmp_path, EVE, uk, saying()) as eve:
            kept = ca.sign(card())
            passed = ca.sign(card(handling={"onward": True}))
            forged = Forger(SpiffeId(CA, Role.NODE), eve.key).record()
            own = uk.sign(card(handling={"onward": True}))
            eve.script = saying(ACCEPTED, batch(kept, passed, forged, own))
            await until(lambda: eve.receipts, "the receipt")
            assert eve.receipts[0].stored == (passed.record_id,)
            [row] = uk.rows(RecordRow)
            assert (row.issuer, row.origin) == (CA, EVE)
            assert {row.record_id: row.reason for row in uk.rows(QuarantineRow)} == {
                kept.record_id: "NOT_RELEASABLE",
                forged.record_id: "WRONG_ISSUER",
                own.record_id: "NOT_RELEASABLE",
            }
            [standing] = uk.rows(StandingRow, peer=EVE)
            assert (standing.received, standing.given, standing.rejected) == (0, 0, 3)

    run(scenario())


@pytest.mark.parametrize("first", [True, False])
def test_a_peer_that_lists_anothers_record_key_does_it_no_harm(tmp_path: Path, first: bool) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            thief = make_home(tmp_path, "a.example" if first else "z.example").bundle()
            keys = (*ca.bundle.record_keys, *thief.record_keys)
            uk.node.add_peer(thief.model_copy(update={"record_keys": keys}))
            record = ca.sign(card())
            ca.script = saying(ACCEPTED, batch(record))
            await until(lambda: ca.receipts, "the receipt")
            assert [row.issuer for row in uk.rows(RecordRow)] == [CA]
            assert uk.rows(QuarantineRow) == []

    run(scenario())
