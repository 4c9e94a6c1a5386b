"""Whatever institutes do, in whatever order, invariants 1, 2, 3, 5 and 6 hold."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.node.release import class_decisions
from tests.support.network_homes import Homes
from tests.support.network_steps import (
    STEPS,
    Step,
    giving,
    names_of_policies,
    record_plans,
)
from tests.support.record_plans import RecordPlan
from tests.support.reference_view import NAMES


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    return Homes(tmp_path_factory.mktemp("homes"))


@pytest.fixture
def no_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what would release a part, which no one asks here and which takes half the time."""
    monkeypatch.setattr(class_decisions, "nearest", lambda _: [])


@settings(
    max_examples=20,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    stock=st.lists(record_plans(), min_size=2, max_size=3),
    begin=st.tuples(names_of_policies, giving, giving),
    steps=st.lists(STEPS, min_size=12, max_size=24),
)
@pytest.mark.usefixtures("no_ways")
def test_whatever_happens_the_invariants_hold(
    homes: Homes, stock: list[RecordPlan], begin: tuple[str, ...], steps: list[Step]
) -> None:
    with homes.network(stock) as network:
        network.befriend()
        for name, policy in zip(NAMES, begin, strict=True):
            network.set_policy(name, policy)
        for step in steps:
            step(network)
            network.work()
        network.check_stores()
        network.check_explanations()
        network.come_to_rest()
        network.check_stores()
        network.check_explanations()
        network.check_at_rest()
