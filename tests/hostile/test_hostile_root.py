"""Peers that lie about their root, over real mutual TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from comity.node.database.tables import AlarmRow, RecordRow
from comity.node.server.background.root_following import MAX_ROOTS
from comity.v1 import exchange_service_pb2 as pb
from tests.support.bad_root_chains import CHAIN_FAULTS, bad_chains
from tests.support.drafts import card
from tests.support.hostile_calls import CA
from tests.support.lying_peer import ACCEPTED, HEARTBEAT, batch, deceived, saying
from tests.support.network import run, until
from tests.support.root_signers import RootSigners, held

ANNOUNCED = pb.ReplicateResponse(heartbeat=pb.Heartbeat(), root_version=2)


@pytest.mark.parametrize("fault", CHAIN_FAULTS)
def test_a_peer_that_serves_a_bad_chain_is_told_of_and_gets_no_further(
    tmp_path: Path, fault: str
) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            root_signers, asked = RootSigners(), [0]
            uk.node.add_peer(root_signers.sign(root_signers.draft(ca.bundle)))
            documents = [
                root.document for root in bad_chains(root_signers, ca.bundle, uk.node.bundle)[fault]
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
            await until(lambda: uk.rows(AlarmRow), "the alarm")
            await until(lambda: uk.rows(RecordRow), "the record")
            assert uk.rows(AlarmRow)[0].reason == "ROOT_REFUSED"
            assert held(uk, CA) == 1
            assert uk.node.find_bundle(CA) == ca.bundle
            # once at the start of a connection and once for the announcement, two pages each
            assert asked[0] <= 4 * len(ca.streams)

    run(scenario())


def test_an_endless_chain_is_given_up_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            root_signers, asked = RootSigners(), [0]
            root = root_signers.sign(root_signers.draft(ca.bundle))
            uk.node.add_peer(root)

            def serve(_: int) -> list[bytes]:
                asked[0] += 1
                return [root.document] * 64

            ca.roots, ca.script = serve, saying(ACCEPTED, HEARTBEAT)
            await until(lambda: uk.rows(AlarmRow), "the alarm")
            assert f"expected at most {MAX_ROOTS} versions at once" in uk.rows(AlarmRow)[0].message
            await until(lambda: ca.streams, "a stream that opens nevertheless")
            assert asked[0] <= (MAX_ROOTS // 64 + 1) * (len(ca.streams) + 1)
            assert held(uk, CA) == 1

    run(scenario())


def test_a_peer_from_before_there_were_roots_is_pulled_from(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with deceived(tmp_path) as (uk, ca):
            root_signers = RootSigners()
            uk.node.add_peer(root_signers.sign(root_signers.draft(ca.bundle)))
            record = ca.sign(card())
            ca.script = lambda cursor: [ACCEPTED, *([] if cursor else [batch(record)])]
            await until(lambda: uk.rows(RecordRow), "the record")
            assert uk.rows(AlarmRow) == []

    run(scenario())
