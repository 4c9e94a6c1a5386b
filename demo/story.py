"""What each person would want to see, on screens of 100 columns.

Invariant: a screen shows what the nodes answered; nothing is shown that was only expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from comity.client.result import Result
from comity.client.terminal import out, print_table, table, text
from comity.policies.facts import PeerStatus
from comity.record.handling import Handling
from comity.record.spiffe import Role
from comity.record.times import format_time
from comity.v1 import audit_service_pb2
from demo import terms
from demo.expectation import EMBARGO, HEADER, UNPERMITTED, Expectation, Piece, parts_of
from demo.institutes import INSTITUTES
from demo.network import Member
from demo.outcome import Observed, Outcome

_WORDS: Final = {
    "baseline-green": "TLP:GREEN is for members; the peer is on probation",
    "baseline-purpose": "the peer is not bound to a purpose that the issuer demands",
    "baseline-releasable-to": "the issuer's releasable-to list does not name the peer",
    "baseline-status": "the peer is suspended",
    EMBARGO: "the embargo has not ended",
    UNPERMITTED: "the policy has no rule that permits it",
    "eu-risks-for-testers": "risks go only to those bound to safety testing",
    "jp-one-for-one": "a card for a card: the peer has given too few",
}


def heading(title: str, note: str = "") -> None:
    """Begin a screen."""
    out.print()
    out.print(Text(title, "bold"))
    if note:
        out.print(Text(note, "dim"))
    out.print()


def show_members(members: list[Member]) -> None:
    """Show who takes part, where, and on what terms."""
    heading("The network", "Everyone pins everyone's bundle; all links are mTLS on loopback.")
    rows = table("institute", "name", "policy", "node", "exceptions")
    for member in members:
        institute = member.institute
        rows.add_row(
            institute.id,
            text(institute.names["en"].removeprefix("Sample institute of ")),
            terms.policy_name(institute.id),
            member.address,
            ", ".join(_exceptions(institute.id)),
        )
    print_table(rows)


def show_holdings(expected: Expectation, observed: Observed) -> None:
    """Show who holds what."""
    heading(
        "Who holds what",
        "■ issued here   ● all sections   ◐ without some sections   · nothing",
    )
    rows = table("card", "handling", *(institute.short for institute in INSTITUTES))
    for name, card in expected.cards.items():
        pieces = {part.piece for part in parts_of(card)}
        cells = [
            "■" if card.issuer == institute.id else _mark(pieces, observed.holdings[institute.id])
            for institute in INSTITUTES
        ]
        rows.add_row(name, _handling(card.draft.handling), *cells)
    print_table(rows)


def show_withheld(expected: Expectation, observed: Observed) -> None:
    """Show what issuers withheld of their own cards, by rule, with one example of each."""
    heading("What was withheld, and by which rule", "As each issuer's own node explains it.")
    found: dict[str, list[tuple[str, Piece]]] = {}
    for ((issuer, peer), piece), rules in observed.reasons.items():
        if piece not in observed.releases.get((issuer, peer), ()):
            for rule in rules:
                found.setdefault(rule, []).append((peer, piece))
    rows = table("rule", "parts", "meaning", "for example")
    for rule, cases in sorted(found.items(), key=lambda item: -len(item[1])):
        peer, (name, section) = max(cases, key=lambda case: (case[1][1] == "risks", case))
        example = f"{section or 'header'} of {name} from {peer.partition('.')[0]}"
        rows.add_row(rule, str(len(cases)), _WORDS.get(rule, ""), example)
    print_table(rows)
    nowhere = [
        name
        for name, card in expected.cards.items()
        if all((name, HEADER) not in observed.holdings[i] for i in terms.IDS if i != card.issuer)
    ]
    out.print(f"\nHeld by nobody but the issuer: {', '.join(nowhere)}.")


def show_releases(institute: str, card: str, releases: list[audit_service_pb2.Release]) -> None:
    """Show an operator who was given a card, when, under which rule, and who signed for it."""
    heading(
        f"The operator of {institute}: who has been given {card}?",
        f"comity releases --record ID; recorded at {institute}, countersigned by each peer.",
    )
    rows = table("peer", "parts", "under", "released", "signed for")
    for peer in sorted({release.peer for release in releases}):
        given = [release for release in releases if release.peer == peer]
        names = [release.section or "header" for release in given]
        receipts = [r.receipt_time.ToDatetime() for r in given if r.HasField("receipt_time")]
        rows.add_row(
            peer,
            f"{len(given)}, {'with' if 'risks' in names else 'without'} risks",
            ", ".join(sorted({rule for release in given for rule in release.rules})),
            f"{given[0].release_time.ToDatetime():%H:%M:%S.%f}"[:-3],
            f"{max(receipts):%H:%M:%S.%f}"[:-3] if receipts else "not yet",
        )
    print_table(rows)


def show_search(institute: str, words: str, results: list[Result]) -> None:
    """Show an analyst what its own node knows about a model."""
    heading(
        f'The analyst of {institute} asks its own node: comity search --model "{words}"',
        "Every answer was verified here against the pinned keys of its issuer.",
    )
    rows = table("issuer", "title", "sections", "withheld", "gravest risk")
    for result in sorted(results, key=lambda r: r.opened.statement.issuer.institute):
        statement, view = result.opened.statement, result.view
        withheld = [s.label for s in view.sections if s.content is None]
        risks = next((s.content for s in view.sections if s.name == "risks"), None) or []
        gravest = next((r for r in risks if r.get("severity") in ("critical", "high")), None)
        rows.add_row(
            text(statement.issuer.institute),
            text(statement.predicate.title["en"]),
            f"{len(view.sections) - len(withheld)} of {len(view.sections)}",
            text(", ".join(withheld) or "-"),
            text(f"{gravest['severity']}: {gravest['domain']}" if gravest else "-"),
        )
    print_table(rows)


def show_audit(result: Result, folder: Path, steps: Mapping[str, str]) -> None:
    """Show an auditor's check of exported files by a tool that knows nothing of Comity."""
    predicate = result.opened.statement.predicate
    heading(
        "The auditor checks a record offline, with securesystemslib",
        f"{folder} holds plain files; CHECK.md there says how to do the same by hand.",
    )
    grid = Table(box=None, pad_edge=False, show_header=False)
    grid.add_row("record", text(result.record_id))
    grid.add_row("statement", text(f"{predicate.title['en']}, by {predicate.issuer}"))
    grid.add_row("issued", format_time(predicate.issue_time))
    for step, found in steps.items():
        grid.add_row(step, text(found))
    print_table(grid)


def show_outcome(outcome: Outcome, seconds: float) -> None:
    """Show whether everything went where it must, and nowhere else."""
    heading("The outcome, against what handling and policies say")
    for difference in outcome.differences:
        out.print(text(f"DIFFERENCE  {difference}", "red"), soft_wrap=True)
    count, found = outcome.checked, len(outcome.differences)
    verdict = f"{found} differences" if found else "no difference"
    style = "bold red" if found else "bold green"
    out.print(Text(f"{count:,} statements checked in {seconds:.0f} s: {verdict}.", style))


def show_how_to_talk(members: list[Member]) -> None:
    """Show how to talk to a network that stays up."""
    member = next(m for m in members if m.institute.id == "uk.aisi.example")
    heading("The network stays up. To talk to it:")
    for line in (
        f'comity search --profile {member.profile(Role.ANALYST)} --model "Llama 3.1"',
        f"comity show --profile {member.profile(Role.ANALYST)} ID",
        f"comity releases --profile {member.profile(Role.AUDITOR)}",
        f"comity explain --profile {member.profile(Role.OPERATOR)} de.aisi.example ID",
        f"comity-node --home {member.home} peers list",
    ):
        out.print(text(f"  {line}"), soft_wrap=True)
    out.print("\nTo end it: make demo-stop")


def _exceptions(institute: str) -> list[str]:
    return [
        f"{of.partition('.')[0]} {'on probation' if s is PeerStatus.PROBATION else s}"
        for (at, of), s in terms.STATUSES.items()
        if at == institute
    ]


def _mark(pieces: set[Piece], held: set[Piece]) -> str:
    if not pieces & held:
        return "·"
    return "●" if pieces <= held else "◐"


def _handling(handling: Handling) -> str:
    words = [str(handling.tlp)]
    if handling.releasable_to is not None:
        words.append(",".join(i.partition(".")[0] for i in handling.releasable_to) or "nobody")
    if handling.embargo:
        words.append(f"from {handling.embargo:%Y}")
    if handling.purposes:
        words.append("for testing")
    if handling.onward:
        words.append("onward")
    return " ".join(words)
