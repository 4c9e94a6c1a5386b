"""``python -m interop``: every tool, every check, one line each.

Exit code 0: each tool accepted what it must accept and rejected the rest. 1: a surprise, or a tool
is missing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from comity.client.terminal import err, out, visible
from comity.record.errors import ComityError
from interop.bundles import check_bundles
from interop.evidence import Evidence
from interop.exports import check_exports
from interop.institute import Institute
from interop.logs import check_logs
from interop.nodes import check_nodes
from interop.tools import Report
from interop.witness import check_witness

_CHECKS = (check_exports, check_bundles, check_logs, check_witness, check_nodes)


def main() -> int:
    """Make an institute's evidence, show it to every tool, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="comity-") as folder:
        report = Report(Path(folder))
        evidence = Evidence(Institute.make(), Path(folder))
        try:
            for check in _CHECKS:
                check(report, evidence)
        except ComityError as error:
            err.print(visible(f"{error}; {error.hint}"))
            return 1
    out.print(f"\n{report.checks} checks, {report.surprises} surprises")
    return 1 if report.surprises else 0


if __name__ == "__main__":
    sys.exit(main())
