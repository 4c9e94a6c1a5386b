"""The tables of both programs agree with their commands, and cost nothing until one is called."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

import comity.client
from comity.client.command_line import Command, CommandGroup
from comity.client.commands.app import COMITY
from comity.node.commands.app import COMITY_NODE
from tests.support.command_line import commands

TABLES = {table.name: table for table in (COMITY, COMITY_NODE)}
PACKAGES = {"comity": "comity.client.commands", "comity-node": "comity.node.commands"}

HEAVY = {
    *("aiohttp", "alembic", "cedarpy", "cryptography", "google.protobuf", "grpc", "pydantic"),
    *("rich", "sqlalchemy", "sqlmodel", "structlog", "tuf"),
}
"""What only a command itself may import."""


def started(program: str, *arguments: str, **environment: str) -> tuple[str, set[str]]:
    """Run a program in a process of its own; return what it printed, and what it imported."""
    code = (
        f"import sys\nfrom {PACKAGES[program]}.app import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"COLUMNS": "80", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, set(done.stderr.split())


@pytest.mark.parametrize("program", TABLES)
@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_no_command_and_no_library_of_one(
    program: str, option: str
) -> None:
    printed, modules = started(program, option)
    assert printed.startswith(f"{program} 0" if option == "--version" else "Usage: ")
    assert modules & HEAVY == set()
    called = {f"{PACKAGES[program]}.{row.module}" for _, row in commands(TABLES[program])}
    assert modules & called == set()


def test_the_help_of_a_group_imports_none_of_its_commands() -> None:
    printed, modules = started("comity-node", "peers", "--help")
    assert "suspend" in printed
    assert modules & HEAVY == set()


@pytest.mark.parametrize(
    ("program", "typed", "expected"),
    [("comity", "se", ["search"]), ("comity-node", "peers re", ["resume", "remove"])],
)
def test_bash_completes_a_command_and_imports_none(
    program: str, typed: str, expected: list[str]
) -> None:
    words = {"COMP_WORDS": f"{program} {typed}", "COMP_CWORD": str(len(typed.split()))}
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    printed, modules = started(program, **words, **{variable: "complete_bash"})
    assert printed.split() == expected
    assert modules & HEAVY == set()


def test_bash_completes_the_options_of_a_command() -> None:
    words = {"COMP_WORDS": "comity search --sev", "COMP_CWORD": "2"}
    printed, _ = started("comity", **words, _COMITY_COMPLETE="complete_bash")
    assert printed.split() == ["--severity"]


@pytest.mark.parametrize("program", TABLES)
def test_a_table_says_of_a_command_what_its_own_help_says_first(program: str) -> None:
    for words, row in commands(TABLES[program]):
        module = import_module(f"{PACKAGES[program]}.{row.module}")
        function = getattr(module, "_".join((program, *words)).replace("-", "_"))
        assert (inspect.getdoc(function) or "").splitlines()[0] == row.about


def every_name(group: CommandGroup) -> list[str]:
    """Return the names of a group's rows, and of the groups among them, with their group."""
    names = [f"{group.name} {row.name}" for row in group.commands]
    inner = [row for row in group.commands if not isinstance(row, Command)]
    return names + [name for row in inner for name in every_name(row)]


@pytest.mark.parametrize("program", TABLES)
def test_no_name_stands_twice_in_a_table(program: str) -> None:
    names = every_name(TABLES[program])
    assert len(names) == len(set(names))


def test_the_public_names_of_the_client_are_those_that_it_has() -> None:
    names = comity.client.__all__
    assert names == sorted(names)
    for name in names:
        assert getattr(comity.client, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = comity.client.nonsense  # type: ignore[attr-defined]
