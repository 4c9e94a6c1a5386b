"""In whatever order a database is lost, restored and recovered, nobody gets a proof against it."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.lost_entries import LostEntries


def test_no_order_of_acts_leads_a_node_into_a_proof_against_itself() -> None:
    few = settings(
        max_examples=8,
        stateful_step_count=15,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),
    )
    run_state_machine_as_test(LostEntries, settings=few)
