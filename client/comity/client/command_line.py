"""The command line of a program, built from its table of commands.

A command is one function and one row in the table of its program. The function bears the words
that a person types: ``comity-node peers add`` is ``comity_node_peers_add``. Its docstring is its
help page; the lines under ``Examples:`` are printed as they stand.

Invariants: a module of commands is imported only when one of its commands is called or explained,
so that ``--version``, ``--help`` and completion answer at once; nothing here imports Rich; ``run``
is the only place that exits.

Exit codes: 0 done, 1 a Comity error, 64 wrong usage (EX_USAGE), 130 interrupted. A command may give
others their meaning and says so in its help.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any, Final, NamedTuple, NoReturn, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.exceptions import TyperException

from comity.record.errors import ComityError

USAGE: Final = 64
INTERRUPTED: Final = 130

_EXAMPLES: Final = "\n\nExamples:\n"

# in Rich's boxes examples are wrapped, and cannot be copied
_PLAIN: Final[dict[str, Any]] = {"rich_markup_mode": None, "pretty_exceptions_enable": False}


class Command(NamedTuple):
    """The row of a command: its name, the module of its function, the first line of its help."""

    name: str
    module: str
    about: str


class CommandGroup(NamedTuple):
    """A program, or a group of its commands, with examples for its help page."""

    name: str
    about: str
    examples: tuple[str, ...]
    commands: tuple[Command | CommandGroup, ...]


def _print_version(context: typer.Context, asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"{context.info_name} {version('comity')}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option(
        "--version", help="Print the version and exit.", callback=_print_version, is_eager=True
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class _TextOption(TyperOption):
    """An option that stands before the command, whose text is taken as it is.

    Typer would import pydantic to convert it, before it is known which command is called.
    """

    def process_value(self, ctx: Any, value: Any) -> Any:
        """Return the value, or what the option's callback makes of it."""
        return self.callback(ctx, self, value) if self.callback else value


class _TextGroup(TyperGroup):
    """A program or a group, all of whose own options are taken as they are, also ``--help``."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options of the group itself."""
        options = super().get_params(ctx)
        for option in options:
            option.__class__ = _TextOption
        return options


class _DeferredCommand(TyperCommand):
    """A command as its group lists it; its module is imported when it is called."""

    def __init__(self, row: Command, package: str, words: Sequence[str]) -> None:
        super().__init__(row.name, help=row.about, rich_markup_mode=None)
        self._module = f"{package}.{row.module}"
        self._function = "_".join(words).replace("-", "_")

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Return the context of the command itself, which is called and completed there."""
        return self._load().make_context(*args, **extra)

    def _load(self) -> TyperCommand:
        function = getattr(_imported(self._module), self._function)
        about, _, lines = (inspect.getdoc(function) or "").partition(_EXAMPLES)

        app = typer.Typer(add_completion=False, **_PLAIN)
        epilog = _examples(inspect.cleandoc(lines).splitlines())
        app.command(self.name, help=about, epilog=epilog)(function)

        return cast("TyperCommand", typer.main.get_command(app))


def _imported(module: str) -> ModuleType:
    # what an import makes stays for good; looking through it for garbage takes a fifth of the time
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.freeze()
        gc.enable()


def build_program(table: CommandGroup, options: Callable[..., None], package: str) -> TyperGroup:
    """Return the program of a table.

    Args:
        table: the program's name, what it is for, and its commands.
        options: takes the options of the program itself, as text or flags, before any command is
            called.
        package: where the modules lie that the table names.
    """
    app = typer.Typer(
        name=table.name,
        cls=_TextGroup,
        help=table.about,
        epilog=_examples(table.examples),
        context_settings={"help_option_names": ["-h", "--help"]},
        **_PLAIN,
    )
    app.callback()(options)

    # its parameters are the options, and those that install and show completion for a shell
    program = cast("TyperGroup", typer.main.get_command(app))
    for command in _build_commands(table, package, (table.name,)):
        program.add_command(command)
    return program


def run(program: TyperGroup, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line (by default the process's own) and exit with its code.

    A ComityError that a command raises is printed by ``terminal.print_error``, as JSON if the
    command line has ``--json``. Any other exception is a defect and ends in a plain traceback.
    """
    # by what was typed: an error may come before a command has read its options
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # a program without arguments explains itself, which is no wrong usage
        code = program.main(args=given or ["--help"], prog_name=program.name, standalone_mode=False)
    except ComityError as error:
        _print_error(error, as_json="--json" in given)
        sys.exit(1)
    except TyperException as error:
        hint = "add --help to see what is expected"
        _print_error(ComityError(error.format_message(), hint=hint), as_json=False)
        sys.exit(USAGE)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # the reader of our output has seen enough; this keeps Python from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _build_commands(
    group: CommandGroup, package: str, words: tuple[str, ...]
) -> Iterator[TyperCommand | TyperGroup]:
    for row in group.commands:
        path = (*words, row.name)

        if isinstance(row, Command):
            yield _DeferredCommand(row, package, path)
        else:
            yield _TextGroup(
                name=row.name,
                help=row.about,
                epilog=_examples(row.examples),
                commands=list(_build_commands(row, package, path)),
                rich_markup_mode=None,
            )


def _examples(lines: Sequence[str]) -> str:
    """Return the epilog of a help page, with ``lines`` as they stand."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def _print_error(error: ComityError, *, as_json: bool) -> None:
    from comity.client.terminal import print_error

    print_error(error, as_json=as_json)
