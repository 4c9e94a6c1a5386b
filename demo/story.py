"""What each person would want to see, on screens of 100 columns.

Invariant: a screen shows what the nodes answered; nothing is shown that was only expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from comity.client.connection.results import Result
from comity.client.terminal import out, table, text, visible
from comity.policies.facts import PeerStatus
from comity.record.handling import Handling
from comity.record.spiffe import Role
from comity.record.times import format_time
from comity.v1 import audit_service_pb2
from demo import terms
from demo.expectation import HEADER, Expectation, Pair, Piece, parts_of
from demo.institutes import INSTITUTES
from demo.network import Member
from demo.outcome import Observed, Outcome

_COLUMNS: Final = 100


def set_width() -> None:
    """Use at most 100 columns; into a log or a pipe, which has no width of its own, just these."""
    out.width = min(out.width, _COLUMNS) if out.is_terminal else _COLUMNS


def heading(title: str, note: str = "") -> None:
    """Begin a screen."""
    out.print(Text(f"\n{title}", "bold"))
    if note:
        out.print(Text(note, "dim"))
    out.print()


def show_members(members: list[Member]) -> None:
    """Show who takes part, where, and on what terms."""
    heading(
        "The network", "Everyone pins everyone's bundle, or root; all links are mTLS on loopback."
    )
    rows = table("institute", "name", "node", "policy")
    for member in members:
        institute = member.institute
        policy = [_policy(institute.id), *_exceptions(institute.id)]
        rows.add_row(institute.id, institute.names["en"], member.address, "; ".join(policy))
    out.print(rows)


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
    out.print(rows)


def show_withheld(expected: Expectation, observed: Observed) -> None:
    """Show what issuers withheld of their own cards, by rule, each with one example."""
    heading(
        "What was withheld from whom, and by which rule",
        "Parts of own cards that an issuer did not give to a peer, as its node explains them.",
    )
    rows = table("rule", "parts", "for example")
    for rule, cases in sorted(_by_rule(observed).items(), key=lambda item: -len(item[1])):
        pair, (name, section) = case = max(cases, key=partial(_telling, observed))
        words = f"{section or 'header'} of {name}, not to {short(pair[1])}: "
        why = observed.messages[case].removeprefix(f"forbidden by {rule}: ")
        rows.add_row(rule, f"{len(cases):>5}", Text.assemble(words, (visible(why), "dim")))
    out.print(rows)
    given = {name for pieces in observed.releases.values() for name, _ in pieces}
    kept = ", ".join(name for name in expected.cards if name not in given)
    out.print(Text(f"\nGiven to nobody at all: {kept}."))


def show_arrivals(card: str, arrivals: Mapping[str, float]) -> None:
    """Show how fast a card that was published last spread."""
    heading(f"{card} was published last, at the running node; it was at the peers after")
    each = ", ".join(f"{short(peer)} {seconds:.1f} s" for peer, seconds in arrivals.items())
    out.print(each)


def show_releases(institute: str, card: str, releases: list[audit_service_pb2.Release]) -> None:
    """Show an operator who was given a card, when, under which rule, and who signed for it."""
    heading(
        f"The operator of {institute}: who has been given {card}?",
        "From its node's ledger (comity releases --record ID); the peers signed for what they got.",
    )
    rows = table("peer", "parts", "policy", "rule", "released (UTC)", "signed for (UTC)")
    for peer in sorted({release.peer for release in releases}):
        given = [release for release in releases if release.peer == peer]
        names = [release.section or "header" for release in given]
        receipts = [r.receipt_time.ToDatetime() for r in given if r.HasField("receipt_time")]
        rows.add_row(
            peer,
            f"{len(given)}, {'with' if 'risks' in names else 'without'} risks",
            ", ".join(f"version {n}" for n in sorted({r.policy_version for r in given})),
            ", ".join(sorted({rule for release in given for rule in release.rules})),
            f"{given[0].release_time.ToDatetime():%H:%M:%S.%f}"[:-3],
            f"{max(receipts):%H:%M:%S.%f}"[:-3] if receipts else "not yet",
        )
    out.print(rows)


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
            text(gravest["domain"] if gravest else "-"),
        )
    out.print(rows)


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
    out.print(grid)


def show_outcome(outcome: Outcome, seconds: float) -> None:
    """Show whether everything went where it must, and nowhere else."""
    heading("The outcome, against what handling, policies and terms say")
    for difference in outcome.differences:
        out.print(text(f"DIFFERENCE  {difference}", "red"))
    count, found = outcome.checked, len(outcome.differences)
    verdict = f"{found} differences" if found else "no difference"
    style = "bold red" if found else "bold green"
    out.print(Text(f"{count:,} statements checked, {verdict}; {seconds:.0f} s in all.", style))


def show_how_to_talk(member: Member, record_id: str) -> None:
    """Show how to talk to a network that stays up, by the example of one institute."""
    heading("The network stays up. To talk to it, for example:")
    analyst, auditor = member.profile(Role.ANALYST), member.profile(Role.AUDITOR)
    short_id = record_id[:12]
    for line in (
        f'comity search --profile {analyst} --model "Llama 3.1"',
        f"comity show --profile {analyst} {short_id}",
        f"comity releases --profile {auditor} --limit 20",
        f"comity explain --profile {auditor} --peer de.aisi.example {short_id}",
        f"comity monitor --profile {auditor} --state {member.folder}/monitor de.aisi.example",
        f"comity-node --home {member.home} peers list",
        f"comity-node --home {member.home} keys list",
    ):
        out.print(text(f"  {line}"), soft_wrap=True)
    out.print("\nTo end it: make demo-stop")


def _policy(institute: str) -> str:
    name = terms.policy_name(institute)
    return f"its own ({name}.cedar)" if name == short(institute) else name


def _exceptions(institute: str) -> list[str]:
    return [
        f"{short(of)} {'on probation' if s is PeerStatus.PROBATION else s}"
        for (at, of), s in terms.STATUSES.items()
        if at == institute
    ]


def _by_rule(observed: Observed) -> dict[str, list[tuple[Pair, Piece]]]:
    found: dict[str, list[tuple[Pair, Piece]]] = {}
    for (pair, piece), rules in observed.reasons.items():
        if piece not in observed.releases.get(pair, ()):
            for rule in rules:
                found.setdefault(rule, []).append((pair, piece))
    return found


def _telling(observed: Observed, case: tuple[Pair, Piece]) -> tuple[bool, bool, bool, str]:
    """Rank examples: a section of a card that was given otherwise tells most."""
    pair, (name, section) = case
    shared = (name, HEADER) in observed.releases.get(pair, ())
    return shared, len(observed.reasons[case]) == 1, section in ("risks", HEADER), name


def _mark(pieces: set[Piece], held: set[Piece]) -> str:
    if not pieces & held:
        return "·"
    return "●" if pieces <= held else "◐"


def _handling(handling: Handling) -> str:
    words = [str(handling.tlp)]
    if handling.releasable_to is not None:
        words.append(",".join(map(short, handling.releasable_to)) or "nobody")
    if handling.embargo:
        words.append(f"from {handling.embargo:%Y}")
    if handling.purposes:
        words.append("for testing")
    if handling.onward:
        words.append("onward")
    return " ".join(words)


def short(institute: str) -> str:
    """Return an institute's country code."""
    return institute.partition(".")[0]
