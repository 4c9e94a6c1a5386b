"""The results of a search as a table: one a row, with the passages that matched.

Invariant: every text that comes from a record goes through ``terminal.text`` or ``visible``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from comity.client.commands.language import choose_text
from comity.client.commands.rendering import SHORT_ID_CHARS, TLP_STYLES
from comity.client.connection.matches import Match
from comity.client.connection.results import Result
from comity.client.terminal import table, text, visible
from comity.client.verify.record_view import RecordView, SectionStatus
from comity.record.handling import Tlp


def render_results(results: Sequence[Result]) -> Table:
    """Show search results, one a row.

    The label is the strictest of the header's and the sections' that are held.
    """
    rows = table("record", "kind", "TLP", "issuer", "issued", "parts", "title")

    for result in results:
        view = result.view
        present = sum(s.status is SectionStatus.PRESENT for s in view.sections)
        predicate = view.statement.predicate
        label = _strictest(view)
        title = Text.assemble(*_mark(result), text(choose_text(predicate.title)))

        rows.add_row(
            view.record_id[:SHORT_ID_CHARS],
            str(view.statement.kind),
            Text(label, TLP_STYLES[label]),
            text(view.statement.issuer.institute),
            f"{predicate.issue_time:%Y-%m-%d}",
            f"{present}/{len(view.sections)}",
            Text("\n").join([title, *map(_match, result.matches)]),
        )

    return rows


def _strictest(view: RecordView) -> Tlp:
    held = [s.handling.tlp for s in view.sections if s.status is SectionStatus.PRESENT]
    return max([view.statement.predicate.handling.tlp, *held], key=lambda label: label.strictness)


def _match(match: Match) -> Text:
    """Return the passage that matched on one line, with what matched in bold."""
    shown = Text.assemble((f"{visible(match.section)}: ", "dim"))
    at = 0
    for start, end in match.spans:
        shown.append(visible(match.text[at:start]), "dim")
        shown.append(visible(match.text[start:end]), "bold yellow")
        at = end
    return shown.append(visible(match.text[at:]), "dim")


def _mark(result: Result) -> Iterator[tuple[str, str]]:
    if result.withdrawal:
        yield "WITHDRAWN  ", "bold red"
    elif result.superseded_by:
        yield "superseded  ", "yellow"
