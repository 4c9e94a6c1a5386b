"""The documents and the layout agree with the code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache

import pytest

from comity.client.commands.app import app as comity_app
from comity.node.commands.app import app as node_app
from tests.support.command_line import printed
from tests.support.paths import ROOT

APPS = {"comity": comity_app, "comity-node": node_app}


def command_lines() -> Iterator[str]:
    """Yield every command line of ours in the documents, without redirection and comment."""
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"):
        for line in (ROOT / name).read_text().splitlines():
            if re.match(r"(comity|comity-node) ", line):
                yield re.split(r"\s+#|\s>", line)[0]


@cache
def help_of(program: str, *path: str) -> str:
    return printed(APPS[program], *path, "--help")


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_a_command_of_the_documents_exists_with_its_options(line: str) -> None:
    program, *words = shlex.split(line)
    while words and words[0].startswith("--"):
        assert words[0] in help_of(program)
        words = words[2:]
    path = words[:1]
    groups = ("alarms", "certificate", "keys", "peers", "policy", "root", "treaty", "witness")
    group = program == "comity-node" and path and path[0] in groups
    if group or (program == "comity" and path == ["new"]):
        path = words[:2]
    text = help_of(program, *path)
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in text, f"{word} is not an option of {program} {path}"


def groups(program: str, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield every group of commands by its path."""
    commands = re.findall(r"^  ([a-z]+) ", listed(program, *path), flags=re.M)
    if commands:
        yield program, *path
    for name in commands:
        yield from groups(program, *path, name)


def listed(program: str, *path: str) -> str:
    """Return the list of commands in a help page of 80 columns."""
    page = printed(APPS[program], *path, "--help")
    return page.partition("\nCommands:\n")[2].partition("\n\n")[0]


@pytest.mark.parametrize("program", APPS)
def test_what_commands_do_is_told_whole_in_80_columns(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    cut = [line for path in groups(program) for line in listed(*path).splitlines() if "..." in line]
    assert cut == []


def test_the_readme_shows_the_two_commands_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.M)
    readme = (ROOT / "README.md").read_text()
    assert {"demo", "test"} <= set(targets)
    for target in re.findall(r"\bmake ([a-z-]+)", readme):
        assert target in targets


@pytest.mark.parametrize("folder", ["proto", "policies", "client", "node"])
def test_the_namespace_package_has_no_init_file(folder: str) -> None:
    assert not (ROOT / folder / "comity" / "__init__.py").exists()


def test_every_dependency_carries_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = text.split("dependencies = [", 1)[1].split("\n]", 1)[0]
    heading = ""
    for line in block.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            heading = stripped
        elif stripped:
            assert "#" in stripped or heading, f"no reason for {stripped}"
