"""Asking one's node: search, watch."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer
from rich.text import Text

from comity.client import terminal
from comity.client.command_line import JsonOption
from comity.client.commands.language import choose_text
from comity.client.commands.options import ProfileOption
from comity.client.commands.rendering import SHORT_ID_CHARS, tlp
from comity.client.commands.result_table import render_results
from comity.client.connection.node_client import connect
from comity.client.connection.results import Filter, Page, Result
from comity.record.errors import ComityError
from comity.record.kind import Kind
from comity.record.severity import Severity
from comity.record.times import format_time

_PAGE: Final = 50

KindOption = Annotated[list[Kind] | None, typer.Option("--kind", help="Only records of this kind.")]
IssuerOption = Annotated[
    list[str] | None,
    typer.Option("--issuer", metavar="INSTITUTE", help="Only records that it issued."),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="NAME", help="Name of a model, or digits of its digest."),
]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="Only records with this tag.")
]
DomainOption = Annotated[
    list[str] | None,
    typer.Option("--domain", metavar="CODE", help="Domain that a section names, such as a risk's."),
]
SeverityOption = Annotated[
    list[Severity] | None,
    typer.Option("--severity", help="Least severity that an item of a section states."),
]
TextOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text", metavar="WORDS", help='Words, "a phrase" or prefix*, all in the record.'
    ),
]
SupersededOption = Annotated[
    bool, typer.Option("--superseded", help="Also records that a later version supersedes.")
]


WithdrawnOption = Annotated[
    bool, typer.Option("--withdrawn", help="Also records that their issuer has withdrawn.")
]


def comity_search(
    kind: KindOption = None,
    issuer: IssuerOption = None,
    model: ModelOption = None,
    tag: TagOption = None,
    domain: DomainOption = None,
    severity: SeverityOption = None,
    text: TextOption = None,
    superseded: SupersededOption = False,
    withdrawn: WithdrawnOption = False,
    newest: Annotated[bool, typer.Option("--newest", help="Newest first, not best first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=256, help="Records a page.")] = _PAGE,
    page_token: Annotated[str, typer.Option(metavar="TOKEN", help="Where to go on.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="All pages, not only one.")] = False,
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search the records at your node.

    With --text the best match comes first, else the newest arrival; every record shown has been
    verified. Options given twice mean "or", different options mean "and"; --domain and --severity
    hold for one and the same item, such as a risk. Records that were superseded or withdrawn are
    left out unless you ask for them.

    A text is words that must all occur, each anywhere in the record: title, summary, tags, names
    and disclosed sections, in every language. "dual use" in quotation marks is a phrase, and bio*
    stands for every word that begins so. Case and accents make no difference: STRASSE finds straße.

    A model is found however its name is written: llama3.1 finds meta-llama/Llama-3.1-8B.

    Examples:
        comity search --model llama3.1 --model phi3 --severity high
        comity search --kind model-card --issuer uk.aisi.example --all --json
        comity search --domain nist-ai-600-1:cbrn --text '"wet lab" uplift*'
    """
    wanted = _filter(kind, issuer, model, tag, domain, severity, text)
    wanted |= Filter(include_superseded=superseded, include_withdrawn=withdrawn)
    page = asyncio.run(
        _search(wanted, limit, page_token, profile, newest=newest, everything=everything)
    )
    if as_json:
        terminal.print_json(page.to_value())
        return
    terminal.print_table(render_results(page.results))
    # a record whose key was revoked since stays in the list, but not without a word
    for result in page.results:
        _warn(result)
    if page.next_page_token:
        more = f"There is more: --page-token {page.next_page_token}, or --all"
        terminal.note(more)


def comity_watch(
    kind: KindOption = None,
    issuer: IssuerOption = None,
    model: ModelOption = None,
    tag: TagOption = None,
    domain: DomainOption = None,
    severity: SeverityOption = None,
    text: TextOption = None,
    page_token: Annotated[str, typer.Option(metavar="TOKEN", help="Where to go on.")] = "",
    profile: ProfileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print records as they arrive at your node.

    The command ends when interrupted. With --json it prints one object a line, whose pageToken
    resumes after it.

    Examples:
        comity watch --severity critical
        comity watch --json
    """
    wanted = _filter(kind, issuer, model, tag, domain, severity, text)
    asyncio.run(_watch(wanted, page_token, profile, as_json=as_json))


def _filter(
    kinds: list[Kind] | None,
    issuers: list[str] | None,
    models: list[str] | None,
    tags: list[str] | None,
    domains: list[str] | None,
    severities: list[Severity] | None,
    texts: list[str] | None,
) -> Filter:
    return Filter(
        kinds=[str(kind) for kind in kinds or ()],
        issuers=issuers or [],
        models=models or [],
        tags=tags or [],
        domains=domains or [],
        # "this or graver" of several is the mildest of them or graver
        min_severity=str(min(severities, key=lambda each: each.rank) if severities else ""),
        texts=texts or [],
    )


async def _search(
    wanted: Filter,
    limit: int,
    token: str,
    profile: str | None,
    *,
    newest: bool,
    everything: bool,
) -> Page:
    results: list[Result] = []
    async with connect(profile) as node:
        while True:
            page = await node.search_page(limit, token, newest_first=newest, **wanted)
            results += page.results
            token = page.next_page_token
            if not (everything and token):
                return Page(tuple(results), token)


async def _watch(wanted: Filter, token: str, profile: str | None, *, as_json: bool) -> None:
    async with connect(profile) as node:
        try:
            async for result in node.watch(token, **wanted):
                token = result.page_token
                _print_arrival(result, as_json=as_json)
        # a connection that broke: with the token the next call misses nothing
        except ComityError as error:
            error.hint = error.hint or (f"go on with --page-token {token}" if token else "")
            raise


def _print_arrival(result: Result, *, as_json: bool) -> None:
    if as_json:
        value = result.to_value() | {"pageToken": result.page_token}
        # one object a line, so that a program can read each as it comes
        terminal.print_json(value, indent=None)
        return

    predicate = result.opened.statement.predicate
    line = Text.assemble(
        f"{format_time(result.received_time)}  {result.record_id[:SHORT_ID_CHARS]}  "
        f"{result.opened.statement.kind}  ",
        tlp(predicate.handling),
        f"  {result.opened.statement.issuer.institute}  ",
        terminal.text(choose_text(predicate.title)),
    )
    terminal.say(line)
    _warn(result)


def _warn(result: Result) -> None:
    if result.problem:
        told = f"{result.record_id[:SHORT_ID_CHARS]}: not trusted: {result.problem}"
        terminal.note(told, "bold red")
