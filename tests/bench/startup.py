"""Measures what it costs to start a program: processor time of ``--version`` and ``--help``.

floor       the interpreter alone: ``python -c pass``

Figures are ratios to the floor of the same run.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Sequence

_RUNS = 5
_PROGRAMS = {"comity": "comity.client", "comity-node": "comity.node"}

Report = Callable[[str, float, float], None]


def measure(report: Report) -> None:
    """Run every measurement; ``report`` takes a name, seconds, and seconds of the floor."""
    floor = _processor_seconds(["-c", "pass"])
    for program, module in _PROGRAMS.items():
        for option in ("--version", "--help"):
            report(f"{program} {option}", _processor_seconds(["-m", module, option]), floor)


def _processor_seconds(arguments: Sequence[str]) -> float:
    """Return the least processor time, user and system, of some runs of the interpreter."""
    found = []
    for _ in range(_RUNS):
        before = _children()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
        found.append(_children() - before)
    return min(found)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
