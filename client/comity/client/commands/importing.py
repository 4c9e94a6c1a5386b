"""Bringing in what exists: import of model cards into drafts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import track

from comity.client import terminal
from comity.client.commands.options import JsonOption
from comity.client.files import make_folder, write_file
from comity.client.importing import Imported, import_card
from comity.client.terminal import text
from comity.record.errors import BadConfig, ComityError, InvalidInput
from comity.record.handling import Tlp

DRAFT_SUFFIX: Final = ".draft.yaml"
_CARDS: Final = frozenset({".md", ".markdown"})
_COUNTED: Final = ("capabilities", "limitations", "risks", "evaluations")


@dataclass(frozen=True, slots=True)
class _Done:
    file: Path
    draft: Path
    card: Imported


def import_cards(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Model cards, or folders of *.md.")
    ],
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where to write the drafts.")
    ] = Path(),
    tlp: Annotated[
        Tlp, typer.Option(help="Label to give the drafts; edit them to be stricter.")
    ] = (Tlp.GREEN),
    force: Annotated[bool, typer.Option("--force", help="Overwrite drafts.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make drafts of model cards in Markdown.

    Hugging Face READMEs and plain Markdown are understood.

    Each FILE.md becomes FILE.draft.yaml; a folder's cards keep their places below it. A draft says
    what the card says, with the card's own words and lines under "sources"; read it, complete it,
    then sign it. Exits with 1 if a card was refused; the others are written all the same.
    """
    done: list[_Done] = []
    refused: list[tuple[Path, ComityError]] = []
    taken: set[Path] = set()
    for file, name in _progress([found for path in files for found in _cards(path)]):
        draft = output / name.with_name(name.stem + DRAFT_SUFFIX)
        try:
            card = import_card(file, tlp)
            _write(draft, card.draft.to_yaml(), force=force, taken=draft in taken)
        except ComityError as error:
            refused.append((file, error))
        else:
            taken.add(draft)
            done.append(_Done(file, draft, card))
    if as_json:
        terminal.print_json(_to_value(done, refused))
    else:
        _print(done, refused)
    if refused:
        raise typer.Exit(1)


def _cards(path: Path) -> Iterator[tuple[Path, Path]]:
    # yields each card and the name that it has below its folder
    if not path.is_dir():
        yield path, Path(path.name)
        return
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in _CARDS and p.is_file())
    if not found:
        raise InvalidInput("expected *.md files in it, got none", field=str(path))
    for file in found:
        yield file, file.relative_to(path)


def _progress(cards: list[tuple[Path, Path]]) -> Iterator[tuple[Path, Path]]:
    quiet = len(cards) < 2 or not terminal.err.is_terminal
    yield from track(
        cards, "Importing", console=terminal.err, transient=True, disable=quiet, show_speed=False
    )


def _write(draft: Path, data: bytes, *, force: bool, taken: bool) -> None:
    make_folder(draft.parent)
    if force and not taken:
        try:
            draft.unlink(missing_ok=True)
        except OSError as error:
            raise BadConfig(f"cannot be written: {error.strerror}", field=str(draft)) from error
    # two cards of one command may have one name
    hint = "import it by itself, with another --output" if taken else "--force overwrites drafts"
    write_file(draft, data, hint)


def _to_value(done: list[_Done], refused: list[tuple[Path, ComityError]]) -> dict[str, Any]:
    imported = [
        {
            "file": str(item.file),
            "draft": str(item.draft),
            "subject": item.card.draft.subject.name,
            **{section: item.card.count(section) for section in _COUNTED},
            "notes": list(item.card.notes),
        }
        for item in done
    ]
    names = ("reason", "field", "message", "hint")
    errors = [{"file": str(f), **{n: getattr(e, n) for n in names}} for f, e in refused]
    return {"imported": imported, "refused": errors}


def _print(done: list[_Done], refused: list[tuple[Path, ComityError]]) -> None:
    if done:
        rows = terminal.table(
            "draft", "capabilities", "limitations", "risks", "scores", "to complete"
        )
        for item in done:
            counts = (str(item.card.count(section)) for section in _COUNTED)
            rows.add_row(text(str(item.draft)), *counts, text("; ".join(item.card.notes)))
        terminal.print_table(rows)
    for _, error in refused:
        terminal.print_error(error, as_json=False)
    terminal.err.print(f"{len(done)} imported, {len(refused)} refused")
