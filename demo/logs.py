"""What must come of the logs: what stands in them, who witnessed them, what a monitor finds.

Invariant: nothing here asks a node anything; sizes and witnesses are worked out from cards and
terms alone, and compared with what the nodes show and what the monitor recomputed from the leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from comity.client.monitor.report import Report
from demo import terms
from demo.cards import load_cards
from demo.expectation import HEADER, Expectation
from demo.outcome import Outcome


@dataclass(frozen=True, slots=True)
class SeenLog:
    """An institute's log: its newest checkpoint, who has cosigned it, and the node's alarms."""

    size: int
    root: bytes
    witnesses: frozenset[str]
    alarms: tuple[str, ...]


def leaves(institute: str) -> int:
    """Return how many leaves an institute's log must have: its cards, and versions of its root."""
    cards = sum(card.issuer == institute for card in load_cards())
    return cards + (terms.ROOT_VERSIONS if institute == terms.ROOTED else 0)


def compare_logs(logs: Mapping[str, SeenLog]) -> Outcome:
    """Compare what nodes show of their logs with what must be in them, and who must know."""
    return Outcome.of(result for institute in terms.IDS for result in _log(institute, logs))


def compare_reports(expected: Expectation, reader: str, reports: Iterable[Report]) -> Outcome:
    """Compare what the monitor of institute ``reader`` found with what there is to be found."""
    found = {report.institute: report for report in reports}
    return Outcome.of(
        result
        for institute in terms.IDS
        for result in _report(expected, (institute, reader), found.get(institute))
    )


def _log(institute: str, logs: Mapping[str, SeenLog]) -> Iterator[str]:
    log, must = logs[institute], leaves(institute)
    fine = log.size == must
    yield "" if fine else f"the log of {institute} has {log.size} leaves, expected {must}"
    for peer in terms.IDS:
        if (peer in log.witnesses) == (peer in terms.witnesses(institute)):
            yield ""
        else:
            did = "has cosigned" if peer in log.witnesses else "has not cosigned"
            yield f"{peer} {did} the newest checkpoint of {institute}"
    yield f"{institute} has alarms: {', '.join(log.alarms)}" if log.alarms else ""


def _report(expected: Expectation, pair: tuple[str, str], report: Report | None) -> Iterator[str]:
    institute, reader = pair
    if report is None:
        yield f"the monitor of {reader} did not see the log of {institute}"
        return
    held = {name for name, section in expected.holdings[reader] if section == HEADER}
    shown = sum(expected.cards[name].issuer == institute for name in held)
    faults = [finding.message for finding in report.findings]
    if report.problem:
        faults.append(report.problem)
    about = f"the monitor of {reader} on {institute}:"
    yield f"{about} {'; '.join(faults)}" if faults else ""
    for what, does, must in (
        ("leaves", report.size, leaves(institute)),
        ("records shown to it", report.shown, shown),
        ("records not in the log so far", report.pending, 0),
        ("cosignatures", report.cosigned, len(terms.witnesses(institute))),
    ):
        yield "" if does == must else f"{about} {does} {what}, expected {must}"
