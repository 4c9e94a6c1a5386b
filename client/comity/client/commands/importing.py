"""``comity import``: drafts of the files that an institute has already, such as model cards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from comity.client import terminal
from comity.client.command_line import JsonOption
from comity.client.files import make_folder, write_file
from comity.client.importing import IMPORTERS, Imported, import_file
from comity.client.terminal import text
from comity.record.errors import BadConfig, ComityError, InvalidInput
from comity.record.handling import Tlp

DRAFT_SUFFIX: Final = ".draft.yaml"
_READS: Final = "; ".join(importer.reads for importer in IMPORTERS)
_SUFFIXES: Final = frozenset[str]().union(*(importer.suffixes for importer in IMPORTERS))
_COUNTED: Final = ("capabilities", "limitations", "risks", "evaluations")


@dataclass(frozen=True, slots=True)
class _Done:
    file: Path
    draft: Path
    imported: Imported


def comity_import(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help=f"Files, or folders of them: {_READS}.")
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
    """Make drafts of files such as model cards.

    The content of a file tells its format. Each FILE.md becomes FILE.draft.yaml; the files of a
    folder keep their places below it. A draft says what its source says, with the source's own
    words and lines under "sources": read it, complete it, then sign it. The exit code is 1 if a
    file was refused. The drafts of the others are written all the same.

    Examples:
        comity import README.md --output drafts
        comity import cards --output drafts --json
    """
    done: list[_Done] = []
    refused: list[tuple[Path, ComityError]] = []
    taken: set[Path] = set()
    # one bad file does not stop a folder of hundreds: it is told at the end, with code 1
    sources = [found for path in files for found in _sources(path)]
    for file, name in terminal.progress(sources, "Importing"):
        draft = output / name.with_name(name.stem + DRAFT_SUFFIX)
        try:
            imported = import_file(file, tlp)
            _write(draft, imported.draft.to_yaml(), force=force, taken=draft in taken)
        except ComityError as error:
            refused.append((file, error))
        else:
            taken.add(draft)
            done.append(_Done(file, draft, imported))

    if as_json:
        terminal.print_json(_to_value(done, refused))
    else:
        _print(done, refused)
    if refused:
        raise typer.Exit(1)


def _sources(path: Path) -> Iterator[tuple[Path, Path]]:
    # each file to import, and the name that it has below its folder
    if not path.is_dir():
        yield path, Path(path.name)
        return

    # sorted, since each file system lists a folder in its own order
    # a link could lead out of the folder, to what its owner never meant to import
    named = (p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES)
    found = sorted(p for p in named if p.is_file() and not p.is_symlink())
    if not found:
        expected = " or ".join(f"*{suffix}" for suffix in sorted(_SUFFIXES))
        raise InvalidInput(f"expected {expected} files in it, got none", field=str(path))
    for file in found:
        yield file, file.relative_to(path)


def _write(draft: Path, data: bytes, *, force: bool, taken: bool) -> None:
    make_folder(draft.parent)
    # --force drops an earlier draft, but never one that this command made
    if force and not taken:
        try:
            draft.unlink(missing_ok=True)
        except OSError as error:
            raise BadConfig(f"cannot be written: {error.strerror}", field=str(draft)) from error

    # two files of one command may have one name
    hint = "import it by itself, with another --output" if taken else "--force overwrites drafts"
    write_file(draft, data, hint)


def _to_value(done: list[_Done], refused: list[tuple[Path, ComityError]]) -> dict[str, Any]:
    imported = [
        {
            "file": str(item.file),
            "draft": str(item.draft),
            "subject": item.imported.draft.subject.name,
            **{section: item.imported.count(section) for section in _COUNTED},
            "notes": list(item.imported.notes),
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
            counts = (str(item.imported.count(section)) for section in _COUNTED)
            rows.add_row(text(str(item.draft)), *counts, text("; ".join(item.imported.notes)))
        terminal.print_table(rows)

    for _, error in refused:
        terminal.print_error(error, as_json=False)
    terminal.note(f"{len(done)} imported, {len(refused)} refused")
