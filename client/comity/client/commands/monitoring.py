"""Looking at institutes' logs from outside: monitor."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import aiohttp
import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from comity.client import terminal
from comity.client.command_line import JsonOption
from comity.client.commands.options import ProfileOption
from comity.client.connection.channel import open_channel
from comity.client.connection.log_client import LogClient
from comity.client.connection.node_client import NodeClient, connect
from comity.client.connection.profile import Profile
from comity.client.connection.profile_store import ProfileStore
from comity.client.monitor.entries import Progress
from comity.client.monitor.look import Monitor
from comity.client.monitor.report import LookResult, Report
from comity.client.monitor.sources import LogSource, NodeSource, SiteSource, is_url, open_session
from comity.client.terminal import text
from comity.client.verify.trust import Trust, load_trust
from comity.record.bundle import TrustBundle
from comity.record.errors import ComityError, NotFound

# cron has to tell them apart: the first needs a person, the second may pass by itself
_CONTRADICTS: Final = 1
_UNCHECKED: Final = 2
_STYLES: Final = {
    LookResult.HOLDS: "green",
    LookResult.CONTRADICTS: "bold red",
    LookResult.UNCHECKED: "bold yellow",
}

StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        metavar="FOLDER",
        help="What was seen of each log. Default: $XDG_STATE_HOME/comity/monitor, else "
        "~/.local/state/comity/monitor.",
    ),
]
PinnedBundlesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--bundle",
        metavar="PATH",
        help="Trust bundle or root, or folder of *.bundle.json and *.root.json; may be repeated. "
        "Default: the bundles that your node has pinned.",
    ),
]


def comity_monitor(
    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="NODE",
            help="A log: the URL of a static log, or the institute or host:port of a node.",
        ),
    ],
    state: StateOption = None,
    bundle: PinnedBundlesOption = None,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare institutes' logs with what was seen before.

    The command reads the entries that are new since the last look, and recomputes the root hash
    that the log signed. With a profile it also compares the log with what your own node witnessed
    and received: each record must be in its issuer's log, once. The rest of the log was withheld
    from you, which is no fault: records for other peers, and versions of the root. A peer's node
    answers auditors; a static log answers anyone.

    Each call looks once: run it from cron, as often as you like. A look that is interrupted resumes
    at the next call. If an institute tells you that its log began anew, remove the log's files,
    <institute>.checkpoint and .entries, from the state folder.

    The exit code is 0 if all holds, 1 if something contradicts, and 2 if nothing contradicts but
    something could not be reached or checked.

    Examples:
        comity monitor ca.aisi.example jp.aisi.example
        comity monitor https://log.ca.aisi.example --bundle ca.aisi.example.bundle.json
    """
    try:
        reports = asyncio.run(_look_at(logs, state or _default_state(), bundle, profile))
    except ComityError as error:
        # not code 1: nothing speaks against a log, the look itself has failed
        terminal.print_error(error, as_json=as_json)
        raise typer.Exit(_UNCHECKED) from error

    if as_json:
        terminal.print_json({"logs": [report.to_value() for report in reports]})
    else:
        _print(reports)
    results = {report.result for report in reports}
    if LookResult.CONTRADICTS in results:
        raise typer.Exit(_CONTRADICTS)
    if LookResult.UNCHECKED in results:
        raise typer.Exit(_UNCHECKED)


async def _look_at(
    logs: list[str], folder: Path, bundles: list[Path] | None, name: str | None
) -> list[Report]:
    # without a profile static logs can be looked at, but no node
    chosen = ProfileStore().open(name) if name or ProfileStore().current else None
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(connect(chosen)) if chosen else None
        trust = load_trust(bundles) if bundles else _pinned(node)
        session = await stack.enter_async_context(open_session())

        look = Monitor(trust, folder, node, datetime.now(UTC))
        await look.prepare()

        sources = _Sources(trust, session, node, chosen)
        reports = []
        # one after the other, and each once: two looks at a log would write the same files
        for log in dict.fromkeys(logs):
            with _progress(log) as progress:
                reports.append(await sources.look(look, log, progress))

    return reports


class _Sources:
    """Finds the log that a person named."""

    def __init__(
        self,
        trust: Trust,
        session: aiohttp.ClientSession,
        node: NodeClient | None,
        profile: Profile | None,
    ) -> None:
        self._trust, self._session, self._node, self._profile = trust, session, node, profile

    async def look(self, monitor: Monitor, log: str, progress: Progress) -> Report:
        """Look at a log; where it cannot be opened, the report says so."""
        try:
            async with self._open(log) as source:
                return await monitor.look(log, source, progress)
        except ComityError as error:
            return Report(log, problem=str(error))

    @asynccontextmanager
    async def _open(self, log: str) -> AsyncIterator[LogSource]:
        if is_url(log):
            yield SiteSource(self._session, log)
            return

        bundle = self._bundle(log)
        if self._profile is None:
            hint = "run: comity login FILE, or give the URL of a static log"
            raise NotFound("expected a profile, to talk to a node", field=log, hint=hint)
        # one's own node is connected already
        if self._node and bundle.institute == self._profile.identity.institute:
            yield NodeSource(self._node.log, bundle.institute)
            return

        certificate, key = self._profile.certificate.encode(), self._profile.private_key.encode()
        # trust boundary 3: only the authorities of the institute that is dialled count
        async with open_channel(bundle, certificate, key) as channel:
            yield NodeSource(LogClient(channel, bundle), bundle.institute)

    def _bundle(self, log: str) -> TrustBundle:
        for bundle in self._trust.bundles:
            if log in (bundle.institute, bundle.address):
                return bundle
        known = ", ".join(bundle.institute for bundle in self._trust.bundles) or "none"
        raise NotFound(f"expected a URL, or one of {known}, got {log!r:.100}", field="NODE")


def _pinned(node: NodeClient | None) -> Trust:
    return Trust(node.bundles, node.roots) if node else Trust()


@contextmanager
def _progress(log: str) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn())
    shown = terminal.err.is_terminal
    bar = ProgressBar(
        *columns, TimeRemainingColumn(), console=terminal.err, transient=True, disable=not shown
    )
    with bar:
        task = bar.add_task(terminal.visible(log), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(reports: list[Report]) -> None:
    rows = terminal.table("log", "entries", "new", "shown to us", "withheld", "cosigned", "result")
    for report in reports:
        rows.add_row(
            text(report.institute or report.name),
            str(report.size),
            # a log that went back has none; a finding below the table says so
            str(max(report.size - report.before, 0)),
            _count(report.shown),
            _count(report.withheld),
            str(report.cosigned),
            text(str(report.result), _STYLES[report.result]),
        )
    terminal.print_table(rows)

    for report in reports:
        name = report.institute or report.name
        for finding in report.findings:
            where = f" ({finding.evidence})" if finding.evidence else ""
            told = f"{name}: {finding.reason}: {finding.message}{where}"
            terminal.say(told)
        if report.problem:
            terminal.say(f"{name}: unchecked: {report.problem}")


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def _default_state() -> Path:
    # XDG Base Directory Specification
    configured = os.environ.get("XDG_STATE_HOME")
    base = Path(configured) if configured else Path.home() / ".local" / "state"
    return base / "comity" / "monitor"
