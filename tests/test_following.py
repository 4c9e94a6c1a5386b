"""Following roots: every key changes while records flow, and nothing that does not hold counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from comity.node.following import MAX_ROOTS
from comity.node.keychain import Sort
from comity.node.keys import list_keys
from comity.node.outbox import keep_receipt
from comity.node.renewal import certify
from comity.node.tables import PeerRow, Quarantine, ReceiptRow, RecordRow
from comity.node.tlog.proofs import inclusion
from comity.node.tlog.tables import Alarm, Inclusion, RootVersion
from comity.policies.facts import PeerStatus
from comity.policies.preset import load_preset
from comity.record.bundle import TrustBundle
from comity.record.errors import RevokedKey
from comity.record.keys import SigningKey
from comity.record.limits import MAX_ROOT_BYTES
from comity.record.record import Record
from comity.record.root import Root
from comity.record.wire import record_to_proto
from comity.v1 import exchange_service_pb2 as pb
from tests.databases import NewDatabase
from tests.exchange import HandClock, Institute, institutes
from tests.holders import Holders
from tests.hostile import ACCEPTED, HEARTBEAT, batch, deceived, saying
from tests.network import Running, card, network, run, until

OPEN = load_preset("open")
UK, CA, JP = "uk.aisi.example", "ca.aisi.example", "jp.aisi.example"


class Pair:
    """Two nodes that exchange records over mutual TLS, pinned by their roots."""

    def __init__(self, uk: Running, ca: Running) -> None:
        self.uk, self.ca = uk, ca
        self.holders = {UK: Holders(), CA: Holders()}
        self.sent: list[tuple[Running, Record]] = []

    @property
    def sides(self) -> tuple[tuple[Running, Running], ...]:
        return (self.uk, self.ca), (self.ca, self.uk)

    def pin(self) -> None:
        """Give both a root, and pin each at the other."""
        for one, other in self.sides:
            other.node.add_peer(self.holders[one.node.institute].found(one.node))

    async def publish(self, name: str) -> None:
        """Publish a record on each side."""
        for one, other in self.sides:
            record = one.sign(card(name))
            await asyncio.to_thread(one.node.publish, record)
            self.sent.append((other, record))

    async def settle(self) -> None:
        """Wait until all that was published is at the other side and signed for."""
        for other, record in self.sent:
            await until(lambda: other.rows(RecordRow, record_id=record.record_id), "a record")
        for one, other in self.sides:
            await until(lambda: _settled(one, other.node.institute), "receipts")

    async def followed(self) -> None:
        """Wait until both hold the other's newest version."""
        for one, other in self.sides:
            await until(lambda: pinned(other, one) == one.node.bundle.fingerprint, "the bundle")
            assert one.node.own.root is not None
            version = one.node.own.root.version
            await until(lambda: held(other, one.node.institute) == version, "the version")

    def check(self) -> None:
        """Nothing was refused, by anyone."""
        for one, _ in self.sides:
            assert one.rows(Quarantine) == []
            assert one.rows(Alarm) == []


@asynccontextmanager
async def exchanging(root: Path) -> AsyncIterator[Pair]:
    async with network(root, UK, CA) as (uk, ca):
        pair = Pair(uk, ca)
        await asyncio.to_thread(pair.pin)
        await pair.publish("before")
        await pair.settle()
        yield pair


def pinned(one: Running, other: Running) -> str:
    """Return the fingerprint that one has pinned of another."""
    fingerprint: str = one.rows(PeerRow, institute=other.node.institute)[0].fingerprint
    return fingerprint


def held(one: Running | Institute, peer: str) -> int:
    """Return the newest version of a peer's root that one holds."""
    return max((row.version for row in one.rows(RootVersion, institute=peer)), default=0)


def _settled(sender: Running, receiver: str) -> bool:
    [row] = sender.rows(PeerRow, institute=receiver)
    return bool(row.offered and row.receipted == row.offered)


# --- every key changes while records flow ---------------------------------------------------------

Step = Callable[[Pair, Running], object]


def rotate(sort: Sort) -> Step:
    return lambda pair, one: pair.holders[one.node.institute].rotate(one.node, sort)


def revoke_oldest(sort: Sort) -> Step:
    def step(pair: Pair, one: Running) -> None:
        oldest = next(key for key in list_keys(one.node) if key.sort == sort)
        index = len(one.rows(RecordRow, issuer=one.node.institute)) + 10
        pair.holders[one.node.institute].revoke(one.node, sort, oldest.keyid, index)

    return step


def give_way(pair: Pair, one: Running) -> None:
    others = Holders()
    pair.holders[one.node.institute].give_way(one.node, others)
    pair.holders[one.node.institute] = others


def finish(pair: Pair, one: Running) -> None:
    home = one.node.home
    certify(home, home.authority_of(one.node.bundle.authorities[-1]), datetime.now(UTC))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((rotate(Sort.RECORD), revoke_oldest(Sort.RECORD)), id="record"),
        pytest.param((rotate(Sort.LOG), revoke_oldest(Sort.LOG)), id="log"),
        pytest.param((rotate(Sort.WITNESS), revoke_oldest(Sort.WITNESS)), id="witness"),
        pytest.param((rotate(Sort.CA), finish, revoke_oldest(Sort.CA)), id="ca"),
        pytest.param((give_way, give_way), id="root"),
    ],
)
def test_a_key_gives_way_while_records_flow(tmp_path: Path, steps: tuple[Step, ...]) -> None:
    async def scenario() -> None:
        async with exchanging(tmp_path) as pair:
            for number, step in enumerate(steps):
                await pair.publish(f"just before {number}")
                for one, _ in pair.sides:
                    await asyncio.to_thread(step, pair, one)
                await pair.publish(f"just after {number}")
                await pair.followed()
                await pair.publish(f"after {number}")
                await pair.settle()
            pair.check()
            for one, other in pair.sides:
                assert len(one.rows(RecordRow)) == 2 * (1 + 3 * len(steps))
                receipts = [r.payload for r in one.rows(ReceiptRow, ours=True)]
                assert receipts == [r.payload for r in other.rows(ReceiptRow, ours=False)]

    run(scenario())


BAD = [
    "another institute's",
    "by nobody",
    "by the new keys only",
    "by the old keys only",
    "by too few",
    "goes back",
    "has expired",
    "repeats",
    "skips a version",
    "skips the second step",
]

# --- what holds, step by step ---------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path: Path, new_database: NewDatabase) -> Iterator[list[Institute]]:
    """Return uk and ca; each has pinned the other's bundle."""
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as made:
        yield made


def pin_root(at: Institute, of: Institute) -> Holders:
    """Give one a root, and pin it at another."""
    holders = Holders()
    at.node.add_peer(holders.found(of.node))
    return holders


def chain(of: Institute, after: int = 1) -> list[bytes]:
    """Return the files of an institute's own root after a version."""
    rows = of.rows(RootVersion, institute=of.name)
    return [row.document for row in sorted(rows, key=lambda row: row.version)][after:]


def test_several_versions_are_followed_in_one_go(pair: list[Institute]) -> None:
    uk, ca = pair
    holders = pin_root(uk, ca)
    for sort in (Sort.RECORD, Sort.LOG, Sort.WITNESS, Sort.RECORD):
        holders.rotate(ca.node, sort)
    assert uk.node.follow(CA, chain(ca)) == 5
    assert uk.node.find_bundle(CA) == ca.node.bundle
    assert uk.node.follow(CA, []) == 5
    assert uk.rows(Alarm) == []


def test_records_that_waited_for_a_key_are_taken_once_it_is_known(pair: list[Institute]) -> None:
    uk, ca = pair
    holders = pin_root(uk, ca)
    holders.rotate(ca.node, Sort.RECORD)
    record = ca.publish(card())
    uk.pull(ca)
    assert [row.reason for row in uk.rows(Quarantine)] == ["UNKNOWN_KEY"]
    uk.node.follow(CA, chain(ca))
    assert [row.record_id for row in uk.rows(RecordRow)] == [record.record_id]
    assert uk.rows(Quarantine) == []


def test_expired_versions_on_the_way_do_not_matter_but_the_last_must_be_fresh(
    pair: list[Institute],
) -> None:
    uk, ca = pair
    holders = pin_root(uk, ca)
    stale, fresh = (holders.draft(ca.node.bundle, 2, days=-1), holders.draft(ca.node.bundle, 3))
    documents = [holders.sign(root).document for root in (stale, fresh)]
    assert uk.node.follow(CA, documents[:1]) == 1
    assert "EXPIRED_ROOT" not in uk.rows(Alarm)[0].message
    assert "expected a time before" in uk.rows(Alarm)[0].message
    assert uk.node.follow(CA, documents) == 3


def test_a_root_whose_time_is_over_raises_an_alarm_and_stops_nothing(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    clock = HandClock()
    with institutes(tmp_path, clock, new_database, UK, CA, policy=OPEN) as (uk, ca):
        holders = pin_root(uk, ca)
        clock.turn(366 * 86_400)
        assert uk.node.follow(CA, []) == 1
        assert [alarm.reason for alarm in uk.rows(Alarm)] == ["ROOT_EXPIRED"]
        record = ca.publish(card())
        uk.pull(ca)
        assert uk.rows(RecordRow)[0].record_id == record.record_id
        newer = Root.draft(
            ca.node.bundle, [k.key for k in holders.keys], 2, clock.time + timedelta(days=1), 2
        )
        assert uk.node.follow(CA, [holders.sign(newer).document]) == 2
        assert uk.rows(Alarm) == []


def bad_chains(holders: Holders, ca: TrustBundle, uk: TrustBundle) -> dict[str, list[Root]]:
    """Return chains that do not hold, after version 1, by what is wrong with them."""
    others = Holders()
    good, strange = holders.sign(holders.draft(ca, 2)), others.draft(ca, 2)
    given_way = Root.draft(ca, [k.key for k in others.keys], 2, strange.expires, 2)
    return {
        "skips a version": [holders.sign(holders.draft(ca, 3))],
        "skips the second step": [good, holders.sign(holders.draft(ca, 4))],
        "goes back": [good, holders.sign(holders.draft(ca, 1))],
        "repeats": [good, good],
        "by the old keys only": [holders.sign(given_way)],
        "by the new keys only": [others.sign(strange)],
        "by too few": [holders.draft(ca, 2).sign(holders.keys[0])],
        "by nobody": [holders.draft(ca, 2)],
        "has expired": [holders.sign(holders.draft(ca, 2, days=-1))],
        "another institute's": [holders.sign(holders.draft(uk, 2))],
    }


@pytest.mark.parametrize("fault", BAD)
def test_a_chain_that_does_not_hold_changes_nothing_and_raises_an_alarm(
    pair: list[Institute], fault: str
) -> None:
    uk, ca = pair
    holders = pin_root(uk, ca)
    documents = [r.document for r in bad_chains(holders, ca.node.bundle, uk.node.bundle)[fault]]
    before = uk.rows(RootVersion), uk.rows(PeerRow), uk.node.find_bundle(CA)
    assert uk.node.follow(CA, documents) == 1
    assert (uk.rows(RootVersion), uk.rows(PeerRow), uk.node.find_bundle(CA)) == before
    [alarm] = uk.rows(Alarm)
    assert (alarm.institute, alarm.reason, alarm.count) == (CA, "ROOT_REFUSED", 1)


@pytest.mark.parametrize("document", [b"", b"{}", b"\xff", b" " * (MAX_ROOT_BYTES + 1)])
def test_what_is_no_root_changes_nothing_and_raises_an_alarm(
    pair: list[Institute], document: bytes
) -> None:
    uk, ca = pair
    pin_root(uk, ca)
    assert uk.node.follow(CA, [document]) == 1
    assert [alarm.reason for alarm in uk.rows(Alarm)] == ["ROOT_REFUSED"]


def test_an_authority_under_another_institute_name_is_not_followed(pair: list[Institute]) -> None:
    uk, ca = pair
    holders = pin_root(uk, ca)
    stolen = ca.node.bundle.model_copy(update={"spiffe": uk.node.bundle.spiffe})
    assert uk.node.follow(CA, [holders.sign(holders.draft(stolen, 2)).document]) == 1
    assert "expected a name of its own" in uk.rows(Alarm)[0].message


def test_a_peer_pinned_by_its_bundle_or_removed_is_not_followed(pair: list[Institute]) -> None:
    uk, ca = pair
    Holders().found(ca.node)
    assert uk.node.follow(CA, chain(ca, after=0)) == 0
    assert uk.rows(RootVersion) == []
    holders = Holders()
    uk.node.add_peer(holders.sign(holders.draft(ca.node.bundle)))
    uk.node.set_peer_status(CA, PeerStatus.REMOVED)
    assert uk.node.follow(CA, [holders.sign(holders.draft(ca.node.bundle, 2)).document]) == 0
    assert held(uk, CA) == 1


def test_pinning_a_bundle_over_a_root_ends_the_chain(pair: list[Institute]) -> None:
    uk, ca = pair
    holders = pin_root(uk, ca)
    uk.node.add_peer(ca.node.bundle)
    holders.rotate(ca.node, Sort.RECORD)
    assert uk.node.follow(CA, chain(ca)) == 0
    assert uk.node.find_bundle(CA) != ca.node.bundle


# --- revoked keys at the door ---------------------------------------------------------------------


def revoked(of: Institute, holders: Holders) -> tuple[Record, SigningKey]:
    """Publish a record, then revoke its key from the next leaf on; return it and the key."""
    record, key = of.publish(card("old", handling={"onward": True})), of.node.key
    of.node.signer.sign()
    with of.node.store.read() as session:
        index = inclusion(session, record.record_id).index
    holders.rotate(of.node, Sort.RECORD)
    holders.revoke(of.node, Sort.RECORD, key.key.keyid, index + 1)
    of.node.signer.sign()
    return record, key


def test_who_comes_late_takes_what_a_revoked_key_had_logged_before(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, JP, policy=OPEN) as (uk, ca, jp):
        holders = pin_root(ca, uk)
        record, _ = revoked(uk, holders)
        ca.node.follow(UK, chain(uk))
        ca.pull(uk)
        assert ca.rows(Quarantine) == []
        assert [row.record_id for row in ca.rows(Inclusion)] == [record.record_id]
        # and hands the proof on with the record
        assert uk.node.own.root is not None
        jp.node.add_peer(uk.node.own.root)
        ca.node.release()
        jp.pull(ca)
        assert [row.record_id for row in jp.rows(RecordRow)] == [record.record_id]
        assert jp.rows(Quarantine) == []


def test_what_a_stolen_key_signs_is_refused_by_name(pair: list[Institute]) -> None:
    uk, ca = pair
    holders = pin_root(ca, uk)
    old, stolen = revoked(uk, holders)
    ca.node.follow(UK, chain(uk))
    with uk.node.store.read() as session:
        proof = inclusion(session, old.record_id).to_bytes()
    for number, inclusion_ in enumerate((b"", proof, b"rubbish"), start=1):
        forged = card(f"forged {number}").sign(uk.node.home.node_id, stolen)
        offer = pb.Offer(record=record_to_proto(replace(forged, inclusion=inclusion_)))
        before = str(number - 1) if number > 1 else ""
        batch = pb.Batch(offers=[offer], previous_cursor=before, cursor=str(number))
        assert ca.node.inbox.take(UK, batch).rejected == 1
    assert ca.rows(RecordRow) == ca.rows(Inclusion) == []
    assert {row.reason for row in ca.rows(Quarantine)} == {"REVOKED_KEY"}


def test_receipts_of_a_revoked_key_are_signed_anew_on_their_way(pair: list[Institute]) -> None:
    uk, ca = pair
    holders = pin_root(uk, ca)
    uk.publish(card())
    ca.pull(uk, lose_receipts=True)
    [lost] = ca.node.inbox.unsent(UK, "")
    holders.rotate(ca.node, Sort.RECORD)
    holders.revoke(ca.node, Sort.RECORD, lost.keyid, 0)
    uk.node.follow(CA, chain(ca))
    with pytest.raises(RevokedKey), uk.node.store.write() as session:
        keep_receipt(session, CA, lost, uk.node.clock())
    [signed] = ca.node.inbox.unsent(UK, "")
    assert (signed.payload, signed.keyid) == (lost.payload, ca.node.key.key.keyid)
    with uk.node.store.write() as session:
        keep_receipt(session, CA, signed, uk.node.clock())
    assert ca.node.inbox.unsent(UK, "") == [signed]


# --- peers that lie -------------------------------------------------------------------------------

ANNOUNCED = pb.ReplicateResponse(heartbeat=pb.Heartbeat(), root_version=2)


@pytest.mark.parametrize("fault", BAD)
def test_a_peer_that_serves_a_bad_chain_is_told_of_and_gets_no_further(
    tmp_path: Path, fault: str
) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            holders, asked = Holders(), [0]
            uk.node.add_peer(holders.sign(holders.draft(ca.bundle)))
            documents = [
                root.document for root in bad_chains(holders, ca.bundle, uk.node.bundle)[fault]
            ]

            def serve(after: int) -> list[bytes]:
                asked[0] += 1
                return documents if after == 1 else []

            ca.roots = serve
            record = ca.sign(card())
            ca.script = lambda cursor: [
                ACCEPTED,
                *([ANNOUNCED] * 50),
                *([] if cursor else [batch(record)]),
                *([ANNOUNCED] * 50),
            ]
            await until(lambda: uk.rows(Alarm), "the alarm")
            await until(lambda: uk.rows(RecordRow), "the record")
            assert uk.rows(Alarm)[0].reason == "ROOT_REFUSED"
            assert held(uk, CA) == 1
            assert uk.node.find_bundle(CA) == ca.bundle
            # once at the start of a connection and once for the announcement, two pages each
            assert asked[0] <= 4 * len(ca.streams)

    run(scenario())


def test_an_endless_chain_is_given_up_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            holders, asked = Holders(), [0]
            root = holders.sign(holders.draft(ca.bundle))
            uk.node.add_peer(root)

            def serve(_: int) -> list[bytes]:
                asked[0] += 1
                return [root.document] * 64

            ca.roots, ca.script = serve, saying(ACCEPTED, HEARTBEAT)
            await until(lambda: uk.rows(Alarm), "the alarm")
            assert f"expected at most {MAX_ROOTS} versions at once" in uk.rows(Alarm)[0].message
            await until(lambda: ca.streams, "a stream that opens nevertheless")
            assert asked[0] <= (MAX_ROOTS // 64 + 1) * (len(ca.streams) + 1)
            assert held(uk, CA) == 1

    run(scenario())


def test_a_peer_from_before_there_were_roots_is_pulled_from(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            holders = Holders()
            uk.node.add_peer(holders.sign(holders.draft(ca.bundle)))
            record = ca.sign(card())
            ca.script = lambda cursor: [ACCEPTED, *([] if cursor else [batch(record)])]
            await until(lambda: uk.rows(RecordRow), "the record")
            assert uk.rows(Alarm) == []

    run(scenario())
