"""Records for people: on a terminal, in the language of the reader.

Invariants: every text that comes from a record goes through ``terminal.text`` or ``visible``.
Labels stand on one line at column 0, and free text is indented below the header, so that no text of
a record looks like a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from textwrap import indent
from typing import Final

from rich.text import Text

from comity.client.commands.language import choose_text
from comity.client.drafts.yaml_text import dump_yaml
from comity.client.terminal import text, visible
from comity.client.verify.record_view import (
    RecordView,
    SectionStatus,
    SectionView,
    describe_handling,
)
from comity.client.verify.split_view_steps import SplitVerification
from comity.client.verify.steps import Outcome, Step, Verdict, Verification
from comity.record.content import section_models
from comity.record.handling import Handling, Tlp
from comity.record.kind import Kind
from comity.record.times import format_time
from comity.record.withdrawal import Withdrawal

TLP_STYLES: Final = {
    Tlp.RED: "bold #ff2b2b on black",
    Tlp.AMBER_STRICT: "bold #ffc000 on black",
    Tlp.AMBER: "bold #ffc000 on black",
    Tlp.GREEN: "bold #33ff00 on black",
    Tlp.CLEAR: "bold #ffffff on black",
}
"""The colours that FIRST's TLP 2.0 prescribes."""

_OUTCOME_STYLES: Final = {
    Outcome.OK: "green",
    Outcome.FAILED: "bold red",
    Outcome.UNKNOWN: "bold yellow",
    Outcome.WITHDRAWN: "bold red",
    Outcome.STALE: "bold yellow",
    Outcome.SKIPPED: "dim",
}
_STATUS_STYLES: Final = {
    SectionStatus.PRESENT: "green",
    SectionStatus.WITHHELD: "yellow",
    SectionStatus.BROKEN: "bold red",
}
_VERDICT_STYLES: Final = {
    Verdict.VALID: "bold green",
    Verdict.INVALID: "bold red",
    Verdict.UNVERIFIABLE: "bold yellow",
    Verdict.WITHDRAWN: "bold red",
    Verdict.STALE: "bold yellow",
}

SHORT_ID_CHARS: Final = 12
"""Hex digits of a record id in a table: more than the 8 that a node asks for."""


def render_record(view: RecordView, facts: Iterable[tuple[str, str]]) -> Text:
    """Show a whole record; ``facts`` are further lines of its header (label, value)."""
    predicate = view.statement.predicate
    lines = [
        *(_fact(label, value) for label, value in (*_header(view), *facts)),
        Text(),
        Text(_indented(choose_text(predicate.summary))),
    ]
    for section in sorted(view.sections, key=partial(_place, view.statement.kind)):
        lines += [Text(), *_section(section)]
    return Text("\n").join(lines)


def render_withdrawal(withdrawal: Withdrawal) -> Text:
    """Say that the issuer has withdrawn a record: when, why, and by which notice."""
    when = format_time(withdrawal.time)
    lines = [
        text(f"WITHDRAWN by {withdrawal.issuer} at {when}", "bold red"),
        text(f"  {choose_text(withdrawal.title)}"),
        *(text(f"  {line}") for line in choose_text(withdrawal.summary).splitlines()),
        text(f"  notice {withdrawal.notice.record_id}"),
    ]
    return Text("\n").join(lines)


def render_verification(name: str, verification: Verification) -> Text:
    """Show the verdict on a file or folder, every step, and every section."""
    withdrawal = verification.withdrawal
    lines = [
        *([render_withdrawal(withdrawal)] if withdrawal else []),
        _verdict(name, verification.verdict, verification.expiry),
        *_named(verification),
        *render_steps(verification.steps),
    ]

    for section in verification.sections:
        status = (f"{section.status:<9}", _STATUS_STYLES[section.status])
        label = text(section.label)
        lines.append(
            Text.assemble("  section ", status, label, text(f"  {section.problem}".rstrip()))
        )

    return Text("\n").join(lines)


def _named(verification: Verification) -> Iterator[Text]:
    """Yield lines that say which record it is, in words as far as it can be read."""
    view = verification.view
    if view:
        yield _indented_fact("title", choose_text(view.statement.predicate.title))
        yield _indented_fact("subject", view.statement.subject[0].name)
        yield _indented_fact("issuer", str(view.statement.issuer))
    yield _indented_fact("record", verification.record.record_id)
    if verification.witnessed_time:
        seen = format_time(verification.witnessed_time)
        yield _indented_fact("witnessed", f"a witness saw it in its log at {seen}")


def _indented_fact(label: str, value: str) -> Text:
    return Text.assemble("  ", (f"{label:<10}", "dim"), text(value))


def render_split_view(name: str, verification: SplitVerification) -> Text:
    """Show the verdict on evidence of a split view, and every step."""
    verdict = _verdict(name, verification.verdict)
    return Text("\n").join([verdict, *render_steps(verification.steps)])


def render_steps(steps: Iterable[Step]) -> Iterator[Text]:
    """Yield a line for each step."""
    for step in steps:
        outcome = (f"{step.outcome:<8}", _OUTCOME_STYLES[step.outcome])
        head = f"  {step.number:>2} {step.name:<14}"
        yield Text.assemble(head, outcome, text(step.detail), (f"  [{step.spec}]", "dim"))


def _verdict(name: str, verdict: Verdict, expiry: datetime | None = None) -> Text:
    # everything held until then, and nothing contradicts it since
    until = f" as of {format_time(expiry)}" if expiry and verdict is Verdict.STALE else ""
    return Text.assemble(text(name), ": ", (f"{verdict}{until}", _VERDICT_STYLES[verdict]))


def tlp(handling: Handling) -> Text:
    """Return the TLP label in the colour that belongs to it."""
    return Text(f"TLP:{handling.tlp}", TLP_STYLES[handling.tlp])


def _header(view: RecordView) -> Iterator[tuple[str, str | Text]]:
    predicate = view.statement.predicate
    yield "title", text(choose_text(predicate.title), "bold")
    yield "record", view.record_id
    yield "kind", str(view.statement.kind)
    yield "subject", view.statement.subject[0].name
    if predicate.model_descriptor:
        yield "provider", predicate.model_descriptor.provider
        yield "model", predicate.model_descriptor.model
        yield "version", predicate.model_descriptor.version
    yield "issuer", str(view.statement.issuer)
    yield "key", view.keyid
    yield "issued", format_time(predicate.issue_time)
    yield "handling", _handling(predicate.handling)

    if predicate.tags:
        yield "tags", ", ".join(predicate.tags)
    if predicate.supersedes:
        yield "supersedes", predicate.supersedes
    for reference in predicate.references:
        # the relation is the issuer's word, and may not take a label's place
        yield "reference", f"{reference.record}  {reference.relation}"


def _fact(label: str, value: str | Text) -> Text:
    told = text(value) if isinstance(value, str) else value
    return Text.assemble((f"{label:<15}", "dim"), told)


def _section(section: SectionView) -> Iterator[Text]:
    status = (str(section.status), _STATUS_STYLES[section.status])
    heading = text(section.label, "bold")
    told = Text.assemble(heading, "  ", status, "  ", _handling(section.handling))
    yield _fact("section", told)
    if section.problem:
        yield Text.assemble("  ", text(section.problem))
    if section.status is SectionStatus.PRESENT:
        # as its author wrote it, in YAML
        content = dump_yaml(section.content).decode().rstrip()
        yield Text(_indented(content))


def _indented(words: str) -> str:
    return indent(visible(words), "  ", lambda _: True)


def _handling(handling: Handling) -> Text:
    said = describe_handling(handling)
    return Text.assemble(tlp(handling), text(f"  {said}" if said else ""))


def _place(kind: Kind, section: SectionView) -> tuple[int, int]:
    """Return a section's sort key: the order of its kind's content models, then all others."""
    order = list(section_models(kind))
    known = order.index(section.name) if section.name in order else len(order)
    return known, section.index
