"""Callers whose certificate is not good, or not good for what they ask."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from comity.client.connection.grpc_errors import from_rpc
from comity.node.database.clock import system_clock
from comity.node.database.tables import RecordRow
from comity.node.home.certificate_authority import Svid
from comity.node.trust.peers import get_peer
from comity.record.errors import Conflict, NotFound, Unavailable
from comity.record.spiffe import Role, SpiffeId
from comity.record.wire import record_to_proto
from comity.v1 import (
    admin_service_pb2 as admin,
)
from comity.v1 import (
    admin_service_pb2_grpc,
    records_service_pb2_grpc,
)
from comity.v1 import (
    records_service_pb2 as records,
)
from tests.support.drafts import card
from tests.support.forged_certificates import copycat
from tests.support.hostile_calls import CA, OPERATOR, UK, calling, refusal
from tests.support.network import PATIENCE_SECONDS, Running, make_home, run, serving


async def answer_to(uk: Running, svid: Svid) -> Any:
    """Ask for what everyone of uk may have."""
    async with calling(uk.node.bundle, svid) as line:
        stub = records_service_pb2_grpc.RecordsServiceStub(line)
        return await stub.ListBundles(records.ListBundlesRequest(), timeout=PATIENCE_SECONDS)


async def fails_to_connect(uk: Running, svid: Svid) -> bool:
    try:
        await answer_to(uk, svid)
    except grpc.aio.AioRpcError as error:
        return isinstance(from_rpc(error), Unavailable)
    return False


def test_strangers_and_expired_certificates_get_no_connection(tmp_path: Path) -> None:
    async def scenario() -> None:
        home, other = make_home(tmp_path, UK), make_home(tmp_path, CA)
        past = datetime.now(UTC) - timedelta(days=2)
        expired = home.authority.issue(OPERATOR, lifetime=timedelta(days=1), now=past)
        async with serving(home) as uk:
            assert await fails_to_connect(uk, expired)
            assert await fails_to_connect(uk, Svid(*other.node_identity()))
            roots = b"".join(home.authority.pem()[:1])
            name = (("grpc.ssl_target_name_override", UK),)
            credentials = grpc.ssl_channel_credentials(roots)
            async with grpc.aio.secure_channel(uk.server.address, credentials, name) as line:
                stub = records_service_pb2_grpc.RecordsServiceStub(line)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.ListBundles(records.ListBundlesRequest(), timeout=PATIENCE_SECONDS)
                assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert await answer_to(uk, home.authority.issue(OPERATOR))

    run(scenario())


def test_a_certificate_that_expires_on_an_open_connection_opens_no_more_calls(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        home, late = make_home(tmp_path, UK), [0]
        svid = home.authority.issue(OPERATOR, lifetime=timedelta(hours=1))
        async with (
            serving(home, lambda: system_clock() + late[0]) as uk,
            calling(uk.node.bundle, svid) as line,
        ):
            stub = records_service_pb2_grpc.RecordsServiceStub(line)
            assert await stub.ListBundles(records.ListBundlesRequest())
            late[0] = 2 * 3600 * 1000
            info = await refusal(stub.ListBundles(records.ListBundlesRequest()))
            assert (info.reason, info.metadata["field"]) == ("UNAUTHENTICATED", "certificate")

    run(scenario())


def test_a_peers_authority_cannot_speak_for_the_institute(tmp_path: Path) -> None:
    async def scenario() -> None:
        home, other = make_home(tmp_path, UK), make_home(tmp_path, CA)
        other_ca = other.authority
        object.__setattr__(other_ca, "institute", UK)  # as a careless or hostile authority would
        forged = other_ca.issue(OPERATOR)
        async with serving(home) as uk:
            uk.node.add_peer(other.bundle())
            info = await refusal(answer_to(uk, forged))
            assert (info.reason, info.metadata["field"]) == ("UNAUTHENTICATED", "certificate")

    run(scenario())


def test_nobody_may_call_what_is_not_for_their_role(tmp_path: Path) -> None:
    async def scenario() -> None:
        home, other = make_home(tmp_path, UK), make_home(tmp_path, CA)
        async with serving(home) as uk:
            uk.node.add_peer(other.bundle())
            record = record_to_proto(uk.sign(card()))
            publish = records.PublishRecordRequest(record=record)
            auditor = home.authority.issue(SpiffeId(UK, Role.AUDITOR, "al"))
            callers = [
                home.authority.issue(SpiffeId(UK, Role.ANALYST, "ada")),
                auditor,
                Svid(*home.node_identity()),
                Svid(*other.node_identity()),
                other.authority.issue(SpiffeId(CA, Role.OPERATOR, "eve")),
            ]
            for svid in callers:
                async with calling(uk.node.bundle, svid) as line:
                    people = records_service_pb2_grpc.RecordsServiceStub(line)
                    assert (await refusal(people.PublishRecord(publish))).reason == "FORBIDDEN"
                    if svid is not auditor:
                        auditors = admin_service_pb2_grpc.AdminServiceStub(line)
                        call = auditors.GetStatus(admin.GetStatusRequest())
                        assert (await refusal(call)).reason == "FORBIDDEN"
            assert uk.rows(RecordRow) == []

    run(scenario())


def test_an_authority_cannot_take_the_name_of_another_institutes(tmp_path: Path) -> None:
    """TLS looks authorities up by name: a namesake would keep the other institute out."""

    async def scenario() -> None:
        uk_home, ca_home, eve = (make_home(tmp_path, i) for i in (UK, CA, "a.example"))
        async with serving(uk_home) as uk:
            uk.node.add_peer(ca_home.bundle())
            for victim in (uk_home, ca_home):
                with pytest.raises(Conflict, match="name of its own") as caught:
                    await asyncio.to_thread(uk.node.add_peer, copycat(eve, victim))
                assert caught.value.field == "spiffe.keys[0].x5c"
            with uk.node.store.read() as session, pytest.raises(NotFound):
                get_peer(session, eve.institute)
            uk.node.add_peer(ca_home.bundle())  # its own name it may keep

    run(scenario())
