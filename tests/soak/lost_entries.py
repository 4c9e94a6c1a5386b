"""Plays ever new orders of loss and recovery: python -m tests.soak.lost_entries 450 (seconds)."""

from __future__ import annotations

import sys
import time

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.lost_entries import LostEntries


def main(seconds: int) -> None:
    """Play for so many seconds; a finding ends the process with the shortest order of acts."""
    many = settings(
        max_examples=5,
        stateful_step_count=40,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        run_state_machine_as_test(LostEntries, settings=many)


if __name__ == "__main__":
    main(int(sys.argv[1]))
