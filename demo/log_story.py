"""What an auditor would want to see of the logs, on screens like those of ``story``.

Invariant: a screen shows what the nodes answered and what was checked of it; nothing is shown that
was only expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rich.text import Text

from comity.client.commands.rendering import render_steps, render_verification
from comity.client.monitor.report import Report
from comity.client.terminal import out, table, text
from comity.client.verify.steps import Verification
from demo.ceremony import Followed, Rotation
from demo.evidence import COPIES, QUORUM, Exhibit, is_good
from demo.logs import SeenLog
from demo.story import heading, short

_ROOT_CHARS: Final = 16


def show_logs(logs: Mapping[str, SeenLog]) -> None:
    """Show every log: how long it is, and who has seen that it only grew."""
    heading(
        "The logs",
        "Each institute's newest checkpoint, and how many cosigned that it continues all before.",
    )
    rows = table("institute", "leaves", "root", "witnesses", "not witnessed by", "alarms")
    for institute, log in logs.items():
        others = logs.keys() - log.witnesses - {institute}
        rows.add_row(
            institute,
            f"{log.size:>6}",
            f"{log.root.hex()[:_ROOT_CHARS]}…",
            f"{len(log.witnesses):>2} of {len(logs) - 1}",
            ", ".join(sorted(map(short, others))) or "-",
            text("; ".join(log.alarms) or "none"),
        )
    out.print(rows)


def show_rotation(rotation: Rotation, followed: Mapping[str, Followed]) -> None:
    """Show what a version of a root changed, and which peers have followed it."""
    root = rotation.root
    signed = f"signed by {len(root.signers(root))} of {len(root.keys)} holders of offline keys"
    heading(
        f"{root.institute} changed its record key while the network ran",
        f"Version {root.version} of its root (TUF), {signed}, changes this:",
    )
    for line in rotation.changes:
        out.print(text(f"  {line}"))
    pinned = (peer for peer, at in followed.items() if at.bundle == root.profile)
    out.print(Text(f"\nFollowed by {', '.join(sorted(map(short, pinned)))}, each by itself."))


def show_monitor(institute: str, reports: Iterable[Report]) -> None:
    """Show what a monitor found in all logs."""
    heading(
        f"The auditor of {institute} looks at every log: comity monitor",
        "It fetches every leaf, hashes them up to the signed root, and looks for each record that"
        " the institute received. What was not shown to it is no fault: records for others, and"
        " versions of a root.",
    )
    rows = table("log", "entries", "shown to us", "withheld", "cosigned", "result")
    for report in reports:
        rows.add_row(
            text(report.institute or report.name),
            f"{report.size:>7}",
            f"{report.shown:>11}",
            f"{report.withheld:>8}",
            f"{report.cosigned:>8}",
            str(report.result),
        )
    out.print(rows)


def show_evidence(institute: str, exhibit: Exhibit, found: Mapping[str, Verification]) -> None:
    """Show each step of checking evidence offline, and which steps caught the copies."""
    issuer = exhibit.result.opened.statement.issuer.institute
    heading(
        f"The auditor of {institute} checks offline that a record stands in the log of {issuer}",
        f"The policy asks for {QUORUM} witnesses among the issuer's peers. To do the same by hand:",
    )
    options = f"--bundle {exhibit.bundles} --policy {exhibit.policy}"
    out.print(text(f"  comity verify {exhibit.folder} {options}"), soft_wrap=True)
    out.print()
    out.print(render_verification(str(exhibit.folder), found[""]))
    for suffix in COPIES:
        verification = found[suffix]
        faults = [step for step in verification.steps if not is_good(step)]
        name = f"\n{exhibit.copy(suffix)}: "
        out.print(Text.assemble(name, (str(verification.verdict), "bold red"), ", by step"))
        for line in render_steps(faults):
            out.print(line)
