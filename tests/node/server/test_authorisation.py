"""Which role opens which method (invariant 9)."""

from __future__ import annotations

import pytest

from comity.node.server.callers import CALLERS, authorise
from comity.record.errors import Forbidden
from comity.record.spiffe import Role, SpiffeId
from comity.v1 import (
    admin_service_pb2,
    audit_service_pb2,
    exchange_service_pb2,
    records_service_pb2,
)

UK, CA = "uk.aisi.example", "ca.aisi.example"


def test_every_method_of_the_wire_says_who_may_call_it() -> None:
    files = (
        records_service_pb2.DESCRIPTOR,
        audit_service_pb2.DESCRIPTOR,
        admin_service_pb2.DESCRIPTOR,
        exchange_service_pb2.DESCRIPTOR,
    )
    methods = {
        f"/{service.full_name}/{method.name}"
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    }
    assert set(CALLERS) == methods


def may(caller: str, method: str) -> bool:
    try:
        authorise(SpiffeId.parse(caller), f"/comity.v1.{method}", UK)
    except Forbidden:
        return False
    return True


def test_roles_open_what_they_are_for() -> None:
    node, analyst, auditor, operator = (
        f"spiffe://{UK}/{tail}" for tail in ("node", "analyst/a", "auditor/a", "operator/a")
    )
    people = [analyst, auditor, operator]
    expected = {
        "RecordsService/SearchRecords": people,
        "RecordsService/ListBundles": people,
        "RecordsService/PublishRecord": [operator],
        "AuditService/ListReleases": [auditor, operator],
        "AuditService/GetTiles": people,
        "AuditService/ListWitnessedLogs": people,
        "AdminService/GetStatus": [auditor, operator],
        "AdminService/ExplainPolicy": [auditor, operator],
        "ExchangeService/Replicate": [],
    }
    for method, callers in expected.items():
        assert [c for c in [node, *people] if may(c, method)] == callers, method


def test_peers_may_exchange_and_read_the_log_and_nothing_else() -> None:
    log = {f"AuditService/{name}" for name in ("GetCheckpoint", "GetTiles", "GetInclusionProof")}
    for method in CALLERS:
        short = method.removeprefix("/comity.v1.")
        exchange = short.startswith("ExchangeService/")
        assert may(f"spiffe://{CA}/node", short) == (exchange or short in log), short
        assert may(f"spiffe://{CA}/auditor/a", short) == (short in log), short
        assert not may(f"spiffe://{CA}/operator/eve", short), short


def test_a_suspended_peer_may_check_what_it_holds_and_nothing_else() -> None:
    checks = {
        *(f"AuditService/{name}" for name in ("GetCheckpoint", "GetTiles", "GetInclusionProof")),
        *(f"ExchangeService/{name}" for name in ("ListLedger", "ListRoots")),
    }
    caller = SpiffeId(CA, Role.NODE)
    for method in CALLERS:
        short = method.removeprefix("/comity.v1.")
        try:
            authorise(caller, method, UK, suspended=True)
        except Forbidden:
            assert short not in checks
        else:
            assert short in checks


def test_method_outside_the_table_is_refused() -> None:
    operator = SpiffeId(UK, Role.OPERATOR, "a")
    with pytest.raises(Forbidden, match="expected a method of this node"):
        authorise(operator, "/comity.v1.AdminService/DropEverything", UK)
    authorise(operator, "/grpc.health.v1.Health/Check", UK)


def test_refusal_names_role_and_call() -> None:
    with pytest.raises(Forbidden, match=f"PublishRecord: expected operator of {UK}, got analyst"):
        authorise(SpiffeId(UK, Role.ANALYST, "a"), "/comity.v1.RecordsService/PublishRecord", UK)
