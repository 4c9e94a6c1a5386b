"""Waiting: what time or a later message makes acceptable is kept, taken, and told to its sender."""

from __future__ import annotations

import pytest

from comity.node.database.tables import (
    AlarmRow,
    NotStoredRow,
    PartRow,
    QuarantineRow,
    RecordRow,
    StandingRow,
)
from comity.node.home.key_files import KeyUse
from comity.node.records import quarantine
from comity.node.records.quarantine import MAX_WAITING_DAYS
from comity.node.records.quarantine_alarms import PATIENCE_MS, watch_waiting
from comity.node.replication.batches import Batch
from comity.node.replication.own_receipts import RecordOutcomes, sign_receipt
from comity.node.replication.peer_receipts import keep_receipt
from comity.policies.facts import PeerStatus
from comity.record import ijson
from comity.record.errors import ComityError, InvalidInput, NotYet
from comity.record.limits import Limit
from comity.record.receipt import Receipt
from comity.record.record import Record
from comity.record.wire import record_from_bytes
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute
from tests.support.root_signers import RootSigners, chain, pin_root

UK, CA = "uk.aisi.example", "ca.aisi.example"
HOUR = 3600


def told(one: Institute, peer: str) -> list[tuple[str, str]]:
    """Return what an institute believes that a peer did not store: states and reasons."""
    rows = one.rows(NotStoredRow, peer=peer)
    return sorted((row.state, row.reason) for row in rows)


def kept(one: Institute) -> list[tuple[str, str]]:
    return sorted((row.state, row.reason) for row in one.rows(QuarantineRow))


def held(one: Institute) -> list[str]:
    return [row.record_id for row in one.rows(RecordRow)]


def publish_ahead(one: Institute, clock: HandClock, seconds: float) -> Record:
    """Publish a card as an institute whose clock is ahead by some seconds."""
    clock.turn(seconds)
    record = one.publish(card())
    clock.turn(-seconds)
    return record


def with_unknown_key(uk: Institute, ca: Institute, *names: str) -> tuple[RootSigners, list[Record]]:
    """Let ca publish under a key that uk does not know yet, and uk pull."""
    signers = pin_root(uk, ca)
    signers.rotate(ca.node, KeyUse.RECORD)
    records = [ca.publish(card(name)) for name in names]
    uk.pull(ca)
    return signers, records


def test_a_record_from_a_clock_that_is_ahead_is_taken_once_time_has_caught_up(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    record = publish_ahead(uk, clock, HOUR)
    ca.pull(uk)
    assert (held(ca), kept(ca)) == ([], [("waiting", "ISSUED_IN_FUTURE")])
    clock.turn(HOUR - 301)
    assert ca.node.waiting.retry_due() == 0
    clock.turn(2)
    assert ca.node.waiting.retry_due() == 1
    assert (held(ca), kept(ca)) == ([record.record_id], [])


def test_a_part_whose_embargo_seems_to_last_here_is_taken_once_it_has_ended(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    record = uk.publish(card(section_handling={"risks": {"embargo": clock.in_seconds(2 * HOUR)}}))
    ca.pull(uk)
    # uk's clock is ahead, so uk releases the section before it may go by ca's clock
    clock.turn(2 * HOUR)
    uk.node.release()
    clock.turn(-2 * HOUR)
    ca.pull(uk)
    assert kept(ca) == [("waiting", "UNDER_EMBARGO")]
    clock.turn(2 * HOUR)
    assert ca.node.waiting.retry_due() == 1
    assert (record.record_id, "risks") in ca.held()


def test_nothing_that_waited_is_taken_from_a_peer_while_it_is_suspended(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    record = publish_ahead(uk, clock, HOUR)
    ca.pull(uk)
    ca.node.set_peer_status(UK, PeerStatus.SUSPENDED)
    clock.turn(HOUR)
    assert (ca.node.waiting.retry_due(), held(ca)) == (0, [])
    ca.node.set_peer_status(UK, PeerStatus.MEMBER)
    assert (ca.node.waiting.retry_due(), held(ca)) == (1, [record.record_id])


def test_the_sender_is_told_that_a_record_waits_and_then_that_it_was_taken(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    signers, _ = with_unknown_key(uk, ca, "model")
    assert told(ca, UK) == [("waiting", "UNKNOWN_KEY")]
    uk.node.follow(CA, chain(ca))
    assert signers
    uk.send_receipts(ca)
    assert told(ca, UK) == []


def test_what_was_told_and_lost_is_told_again(pair: list[Institute]) -> None:
    uk, ca = pair
    _, [record] = with_unknown_key(uk, ca, "model")
    uk.node.follow(CA, chain(ca))
    # the answer of this stream never arrives
    settled, [receipt] = uk.node.waiting.outcomes(CA, {record.record_id})
    assert settled == {record.record_id}
    assert receipt.payload
    assert told(ca, UK) == [("waiting", "UNKNOWN_KEY")]
    uk.send_receipts(ca)
    assert told(ca, UK) == []


def test_a_waiting_record_does_not_count_as_rejected_until_it_is_given_up(
    pair: list[Institute], clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_WAITING_DAYS", Limit("MAX_WAITING_DAYS", 1, "days"))
    uk, ca = pair
    publish_ahead(uk, clock, HOUR)
    ca.pull(uk)
    assert [row.rejected for row in ca.rows(StandingRow)] in ([], [0])
    # the clock of ca runs, and goes back before it is looked at: the record still lies ahead
    clock.turn(25 * HOUR)
    [row] = ca.rows(QuarantineRow)
    with ca.node.store.write() as session:
        error = NotYet("still ahead", time=clock.time)
        waits = quarantine.Refusal(record_from_bytes(row.record), error)
        quarantine.keep_waiting(session, UK, waits, clock.now)
    assert kept(ca) == [("refused", "NOT_YET")]
    assert [row.rejected for row in ca.rows(StandingRow)] == [1]
    ca.send_receipts(uk)
    assert told(uk, CA) == [("refused", "NOT_YET")]


def test_a_record_that_lies_too_far_ahead_is_refused_at_once(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    publish_ahead(uk, clock, (MAX_WAITING_DAYS + 1) * 24 * HOUR)
    ca.pull(uk)
    assert kept(ca) == [("refused", "ISSUED_IN_FUTURE")]
    assert told(uk, CA) == [("refused", "ISSUED_IN_FUTURE")]


def test_what_has_no_room_to_wait_is_refused_plainly_and_nothing_is_pushed_out(
    pair: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        quarantine, "MAX_WAITING_RECORDS", Limit("MAX_WAITING_RECORDS", 2, "records")
    )
    uk, ca = pair
    with_unknown_key(uk, ca, "one", "two", "three")
    expected = [("refused", "UNKNOWN_KEY"), *2 * [("waiting", "UNKNOWN_KEY")]]
    assert kept(uk) == told(ca, UK) == expected
    assert "REFUSED_UNKNOWN_KEY" in {row.reason for row in uk.rows(AlarmRow)}
    uk.node.follow(CA, chain(ca))
    assert len(held(uk)) == 2


def test_waiting_records_take_no_more_bytes_than_the_limit(
    pair: list[Institute], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "MAX_WAITING_BYTES", Limit("MAX_WAITING_BYTES", 4000, "bytes"))
    uk, ca = pair
    with_unknown_key(uk, ca, "one", "two", "three")
    waiting = [row for row in uk.rows(QuarantineRow) if row.state == "waiting"]
    assert 0 < sum(len(row.record) for row in waiting) <= 4000
    assert len(uk.rows(QuarantineRow)) == 3


@pytest.mark.parametrize("reason", ["\x1b[2J", "x" * 256, "NO_SUCH_REASON"])
def test_a_reason_that_a_peer_makes_up_reaches_neither_database_nor_terminal(
    pair: list[Institute], reason: str
) -> None:
    uk, ca = pair
    record = uk.publish(card())
    batch = uk.offer(ca)
    assert batch is not None
    outcome = RecordOutcomes((), {record.record_id: reason})
    made_up = sign_receipt(ca.node, UK, batch.previous_cursor, batch.cursor, outcome)
    with uk.node.store.write() as session:
        keep_receipt(session, CA, made_up, uk.node.clock())
    assert told(uk, CA) == [("refused", "OTHER")]


def test_an_operator_is_alarmed_once_for_records_that_wait_and_not_after_they_are_taken(
    pair: list[Institute], clock: HandClock
) -> None:
    uk, ca = pair
    with_unknown_key(uk, ca, "one", "two")
    watch_waiting(uk.node.store, clock.now)
    assert uk.rows(AlarmRow) == []
    clock.turn(PATIENCE_MS / 1000)
    for _ in range(3):
        watch_waiting(uk.node.store, clock.now)
    [alarm] = uk.rows(AlarmRow)
    assert (alarm.institute, alarm.reason, alarm.count) == (CA, "WAITING_UNKNOWN_KEY", 1)
    uk.node.follow(CA, chain(ca))
    watch_waiting(uk.node.store, clock.now)
    assert uk.rows(AlarmRow) == []


def test_an_unknown_key_is_looked_up_again_even_if_the_news_of_its_root_was_missed(
    pair: list[Institute], clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    uk, ca = pair
    _, [record] = with_unknown_key(uk, ca, "model")
    # the process died between the new root and the look at what waited for it
    with monkeypatch.context() as patch:
        patch.setattr(uk.node.waiting, "retry", lambda: 0)
        uk.node.follow(CA, chain(ca))
    assert held(uk) == []
    clock.turn(HOUR + 1)
    uk.node.waiting.retry_due()
    assert held(uk) == [record.record_id]


def test_a_refused_record_is_told_with_its_reason_and_raises_an_alarm(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    record = uk.publish(card())
    offered = ca_batch(uk, ca, record)
    taken = ca.node.inbox.take(UK, offered)
    assert taken.refused == {record.record_id: "MALFORMED_JSON"}
    assert [row.reason for row in ca.rows(AlarmRow)] == ["REFUSED_MALFORMED_JSON"]
    assert ca.rows(PartRow) == []


def ca_batch(uk: Institute, ca: Institute, record: Record) -> Batch:
    """Return the batch that uk offers ca, with a disclosure that fits nothing."""
    batch = uk.offer(ca)
    assert batch is not None
    bad = Record(record.envelope, (*record.disclosures, b"AAAA"))
    return Batch((bad,), batch.previous_cursor, batch.cursor)


def test_every_refusal_says_whether_it_can_be_cured() -> None:
    def below(kind: type[ComityError]) -> set[type[ComityError]]:
        return {kind}.union(*(below(sub) for sub in kind.__subclasses__()))

    curable = {kind.reason for kind in below(InvalidInput) if kind.curable}  # type: ignore[attr-defined]
    assert curable == {"UNKNOWN_KEY", "NOT_YET", "ISSUED_IN_FUTURE", "UNDER_EMBARGO"}


def test_a_receipt_of_an_earlier_version_names_nothing_as_waiting(pair: list[Institute]) -> None:
    uk, ca = pair
    uk.publish(card())
    batch = uk.offer(ca)
    assert batch is not None
    value = ijson.loads(ca.node.inbox.take(UK, batch).receipt.payload)
    del value["waiting"]
    assert Receipt.parse(value).waiting == ()
