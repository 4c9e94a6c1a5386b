"""The server's own manners: health, reflection, and what auditors and operators may ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from comity.client.connection.channel import open_channel
from comity.client.connection.grpc_errors import from_rpc
from comity.node.database.tables import PeerRow, RecordRow, ReleaseRow
from comity.node.server.process import SERVICES
from comity.policies.facts import PeerStatus
from comity.record.errors import BadConfig, ComityError, Forbidden, NotFound
from comity.record.spiffe import Role
from comity.v1 import admin_service_pb2 as pb
from comity.v1 import admin_service_pb2_grpc as rpc
from comity.v1 import audit_service_pb2, audit_service_pb2_grpc
from tests.support.drafts import card
from tests.support.network import Running, make_home, network, run, serving, until


@asynccontextmanager
async def channel_of(running: Running, role: Role, name: str) -> AsyncIterator[grpc.aio.Channel]:
    """Open a channel to a node as one of its people."""
    profile = running.node.home.grant(role, name)
    identity = profile.certificate.encode(), profile.private_key.encode()
    async with open_channel(profile.bundle, *identity) as channel:
        yield channel


async def refusal(call: object) -> ComityError:
    """Return the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return from_rpc(caught.value)


def test_health_says_serving_and_reflection_lists_the_services(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path, "uk.aisi.example")
        async with serving(home) as uk, channel_of(uk, Role.ANALYST, "ada") as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answer = await health.Check(  # type: ignore[attr-defined]  # its stubs know no methods
                health_pb2.HealthCheckRequest()
            )
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            reflection = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            call = reflection.ServerReflectionInfo(iter([request]))  # type: ignore[operator]
            listed = await anext(aiter(call))
            names = {service.name for service in listed.list_services_response.service}
            assert set(SERVICES) <= names

    run(scenario())


def test_a_second_node_on_the_same_address_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path, "uk.aisi.example")
        async with serving(home):
            with pytest.raises(BadConfig, match="cannot listen"):
                async with serving(home):
                    pass

    run(scenario())


def test_an_auditor_sees_how_the_node_is_and_why_a_peer_was_given_a_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            network(tmp_path, "uk.aisi.example", "ca.aisi.example") as (uk, _),
            channel_of(uk, Role.AUDITOR, "alan") as channel,
        ):
            admin = rpc.AdminServiceStub(channel)
            record = uk.sign(card())
            uk.node.publish(record)
            await until(lambda: uk.rows(PeerRow, receipted=3), "the receipt")

            status = await admin.GetStatus(pb.GetStatusRequest())
            assert (status.institute, status.records, status.log_size) == ("uk.aisi.example", 1, 1)
            [peer] = status.peers
            assert (peer.institute, peer.released, peer.receipted) == ("ca.aisi.example", 3, 3)

            request = pb.ExplainPolicyRequest(peer="ca.aisi.example", record_id=record.record_id)
            explained = await admin.ExplainPolicy(request)
            assert [part.allowed for part in explained.parts] == [True] * 3
            assert all(part.release_time.seconds for part in explained.parts)

    run(scenario())


def test_a_running_node_goes_by_what_its_operator_changes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, "uk.aisi.example", "ca.aisi.example") as (uk, _):
            uk.node.publish(uk.sign(card()))
            await until(lambda: uk.rows(PeerRow, receipted=3), "the receipt")

            uk.node.set_peer_status("ca.aisi.example", PeerStatus.SUSPENDED)
            uk.node.publish(uk.sign(card("another")))
            assert len(uk.rows(ReleaseRow)) == 3

            uk.node.set_peer_status("ca.aisi.example", PeerStatus.MEMBER)
            await until(lambda: uk.rows(PeerRow, receipted=6), "what was held back")

            uk.node.set_policy("// nothing for anyone\n")
            uk.node.publish(uk.sign(card("a third")))
            assert len(uk.rows(ReleaseRow)) == 6

    run(scenario())


def test_releases_are_found_by_the_beginning_of_a_records_id(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, "uk.aisi.example", "ca.aisi.example") as (uk, _):
            record, other = uk.sign(card()), uk.sign(card("another"))
            uk.node.publish_all([record, other])
            async with channel_of(uk, Role.AUDITOR, "alan") as channel:
                audit = audit_service_pb2_grpc.AuditServiceStub(channel)
                request = audit_service_pb2.ListReleasesRequest(record_id=record.record_id[:8])
                found = (await audit.ListReleases(request)).releases
                assert {release.record_id for release in found} == {record.record_id}
                request.record_id = "0" * 64
                assert isinstance(await refusal(audit.ListReleases(request)), NotFound)

    run(scenario())


def test_a_peer_that_asks_for_proofs_does_not_learn_whose_records_are_held(tmp_path: Path) -> None:
    async def scenario() -> None:
        names = ("uk.aisi.example", "ca.aisi.example", "jp.aisi.example")
        async with network(tmp_path, *names) as (uk, ca, jp):
            secret = jp.sign(card(tlp="RED", releasable_to=["uk.aisi.example"]))
            own = uk.sign(card("own"))
            await asyncio.to_thread(jp.node.publish, secret)
            await asyncio.to_thread(uk.node.publish, own)
            await until(lambda: uk.rows(RecordRow, record_id=secret.record_id), "the record")
            identity = ca.node.home.node_identity()
            async with open_channel(uk.node.bundle, *identity) as channel:
                audit = audit_service_pb2_grpc.AuditServiceStub(channel)

                async def told(record_id: str) -> str:
                    request = audit_service_pb2.GetInclusionProofRequest(record_id=record_id)
                    return str(await refusal(audit.GetInclusionProof(request)))

                unknown = "0" * 64
                held = await told(secret.record_id)
                assert held == (await told(unknown)).replace(unknown, secret.record_id)
                for prefix in (secret.record_id[:8], own.record_id[:8], unknown[:8]):
                    assert "expected 64" in await told(prefix)
                request = audit_service_pb2.GetInclusionProofRequest(record_id=own.record_id)
                assert (await audit.GetInclusionProof(request)).proof

    run(scenario())


def test_the_ledger_is_for_auditors_and_operators_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, "uk.aisi.example", "ca.aisi.example") as (uk, _):
            uk.node.publish(uk.sign(card()))
            await until(lambda: uk.rows(PeerRow, receipted=3), "the receipt")
            request = audit_service_pb2.ListReleasesRequest(peer="ca.aisi.example", page_size=2)
            async with channel_of(uk, Role.ANALYST, "ada") as channel:
                audit = audit_service_pb2_grpc.AuditServiceStub(channel)
                assert isinstance(await refusal(audit.ListReleases(request)), Forbidden)
            async with channel_of(uk, Role.AUDITOR, "alan") as channel:
                audit = audit_service_pb2_grpc.AuditServiceStub(channel)
                first = await audit.ListReleases(request)
                request.page_token = first.next_page_token
                second = await audit.ListReleases(request)
            numbers = [r.offer_number for r in (*first.releases, *second.releases)]
            assert numbers == [3, 2, 1]
            assert second.next_page_token == ""
            for release in first.releases:
                assert release.policy_version == 1
                assert release.rules == ["open-members"]
                assert release.receipt_time.seconds

    run(scenario())
