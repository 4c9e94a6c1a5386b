"""Bad requests of callers with a good certificate: each is refused by reason, field and limit."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest

from comity.client.connection.grpc_errors import from_rpc
from comity.node.database.tables import RecordRow
from comity.record.errors import LimitExceeded
from comity.record.limits import MAX_MESSAGE_BYTES
from comity.v1 import (
    admin_service_pb2 as admin,
)
from comity.v1 import (
    admin_service_pb2_grpc,
    audit_service_pb2_grpc,
    records_service_pb2_grpc,
)
from comity.v1 import (
    audit_service_pb2 as audit,
)
from comity.v1 import (
    records_service_pb2 as records,
)
from tests.support.drafts import card
from tests.support.hostile_calls import CA, contents, info_of, operating, refusal
from tests.support.network import run

Method = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


def test_bytes_that_are_no_message_are_refused_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with operating(tmp_path) as (_, line):
            for method in ("PublishRecord", "SearchRecords"):
                for data in (b"\xff\xff\xff", b"\x0a\x05\x0a\x03\xff\xff\xff"):
                    call: Method = line.unary_unary(f"/comity.v1.RecordsService/{method}")
                    info = await refusal(call(data))
                    assert (info.reason, info.metadata["field"]) == ("INVALID_INPUT", "message")

    run(scenario())


def test_a_message_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with operating(tmp_path) as (uk, line):
            call: Method = line.unary_unary("/comity.v1.RecordsService/PublishRecord")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(b"\x00" * (MAX_MESSAGE_BYTES + 1))
            error = from_rpc(caught.value)
            assert isinstance(error, LimitExceeded)
            assert (error.limit, error.got) == ("MAX_MESSAGE_BYTES", MAX_MESSAGE_BYTES + 1)
            assert uk.rows(RecordRow) == []

    run(scenario())


@pytest.mark.parametrize(
    ("record_id", "reason"),
    [
        ("", "INVALID_INPUT"),
        ("abcdef0", "INVALID_INPUT"),
        ("ABCDEF01", "INVALID_INPUT"),
        ("%%%%%%%%", "INVALID_INPUT"),
        ("a" * 65, "INVALID_INPUT"),
        ("0" * 64, "NOT_FOUND"),
    ],
)
def test_record_ids_are_eight_to_64_hex_digits(tmp_path: Path, record_id: str, reason: str) -> None:
    async def scenario() -> None:
        async with operating(tmp_path) as (_, line):
            stub = records_service_pb2_grpc.RecordsServiceStub(line)
            info = await refusal(stub.GetRecord(records.GetRecordRequest(record_id=record_id)))
            assert (info.reason, info.metadata["field"]) == (reason, "record_id")

    run(scenario())


def test_pages_that_are_too_long_are_refused_by_their_own_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with operating(tmp_path) as (_, line):
            audits = audit_service_pb2_grpc.AuditServiceStub(line)
            entries = ("MAX_AUDIT_PAGE", "1000", "entries")
            expected: list[tuple[Awaitable[Any], tuple[str, str, str]]] = [
                (audits.ListReleases(audit.ListReleasesRequest(page_size=1001)), entries),
                (audits.ListQuarantine(audit.ListQuarantineRequest(page_size=1001)), entries),
                (
                    audits.ListReceipts(audit.ListReceiptsRequest(page_size=101)),
                    ("MAX_RECEIPTS_PAGE", "100", "receipts"),
                ),
            ]
            for call, limit in expected:
                told = (await refusal(call)).metadata
                assert (told["limit"], told["maximum"], told["unit"]) == limit

    run(scenario())


def test_bad_requests_of_auditors_and_operators_are_refused_by_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with operating(tmp_path) as (uk, line):
            audits = audit_service_pb2_grpc.AuditServiceStub(line)
            admins = admin_service_pb2_grpc.AdminServiceStub(line)
            record = uk.sign(card())
            uk.node.publish(record)
            calls: dict[str, list[Awaitable[Any]]] = {
                "LIMIT_EXCEEDED": [
                    audits.ListReleases(audit.ListReleasesRequest(page_size=10**6)),
                    audits.ListReceipts(audit.ListReceiptsRequest(page_size=10**6)),
                    audits.ListQuarantine(audit.ListQuarantineRequest(page_size=10**6)),
                ],
                "BAD_CURSOR": [
                    audits.ListReleases(audit.ListReleasesRequest(page_token="cGFnZTox")),
                    audits.ListQuarantine(audit.ListQuarantineRequest(page_token="?")),
                ],
                "NOT_FOUND": [
                    admins.ExplainPolicy(
                        admin.ExplainPolicyRequest(peer=CA, record_id=record.record_id)
                    ),
                    admins.ExplainPolicy(
                        admin.ExplainPolicyRequest(peer="a\x00b", record_id=record.record_id)
                    ),
                ],
                "INVALID_INPUT": [
                    admins.ExplainPolicy(admin.ExplainPolicyRequest(peer=CA, record_id="\x00")),
                ],
            }
            before = contents(uk)
            for reason, refused in calls.items():
                for call in refused:
                    assert (await refusal(call)).reason == reason
            assert contents(uk) == before

    run(scenario())


def test_a_node_that_fails_says_so_without_details(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    async def scenario() -> None:
        async with operating(tmp_path) as (uk, line):
            monkeypatch.setattr(uk.node, "bundles", fail)
            stub = records_service_pb2_grpc.RecordsServiceStub(line)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.ListBundles(records.ListBundlesRequest())
            assert "disk" not in str(caught.value.details())
            assert info_of(caught.value).reason == "INTERNAL"
            monkeypatch.undo()

    run(scenario())
