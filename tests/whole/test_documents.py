"""The documents and the layout agree with the code."""

from __future__ import annotations

import pydoc
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest

from comity.client.commands.app import COMITY
from comity.client.commands.app import app as comity_app
from comity.node.commands.app import COMITY_NODE
from comity.node.commands.app import app as node_app
from comity.record import limits
from demo.cards import load_cards
from demo.institutes import INSTITUTES
from tests.support.command_line import commands, printed
from tests.support.paths import ROOT

APPS = {"comity": comity_app, "comity-node": node_app}
COMMANDS = {table.name: {words for words, _ in commands(table)} for table in (COMITY, COMITY_NODE)}
PAGES: Final = (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")))


def command_lines() -> Iterator[str]:
    """Yield every command line of ours in the documents, without redirection and comment."""
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), flags=re.M | re.S):
            for line in block.replace("\\\n", " ").splitlines():
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

    paths = [path for path in COMMANDS[program] if tuple(words[: len(path)]) == path]
    assert len(paths) == 1, f"{program} has no such command"

    text = help_of(program, *paths[0])
    for word in words:
        if word.startswith("--"):
            option = re.escape(word.partition("=")[0])
            assert re.search(rf"{option}(?![\w-])", text), f"{word} is not an option of {paths[0]}"


def marked_words(page: Path) -> set[str]:
    """Return what stands between backticks on one line, outside of blocks."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    return set(re.findall(r"`([^`\n]+)`", prose))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_name_of_the_code_in_a_document_exists(page: Path) -> None:
    form = re.compile(r"(v1|record|policies|client|node)(\.\w+)+")
    names = {f"comity.{name}" for name in marked_words(page) if form.fullmatch(name)}
    assert {name for name in names if not exists(name)} == set()


def exists(name: str) -> bool:
    """Tell whether a dotted name stands for a module, or for something that one defines."""
    *folders, last = name.split(".")
    try:
        import_module(name)
    except ModuleNotFoundError:
        return len(folders) > 1 and hasattr(pydoc.locate(".".join(folders)), last)
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_path_or_link_in_a_document_leads_somewhere(page: Path) -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()}
    for path in marked_words(page):
        if re.fullmatch(r"[\w.*-]+/[\w./*-]*", path) and path.partition("/")[0] in folders:
            assert list(ROOT.glob(path.rstrip("/"))), path
    for target, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text()):
        assert (page.parent / target).exists(), target
        assert not anchor or anchor in anchors(page.parent / target if target else page), anchor


def test_the_index_of_the_documents_links_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = {page.name for page in PAGES if page.parent == ROOT / "docs"} - {"index.md"}
    assert pages == {page for page in pages if f"]({page})" in index}


def anchors(page: Path) -> set[str]:
    """Return the names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), flags=re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section_of(page: str, heading: str) -> str:
    text = (ROOT / page).read_text()
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_architecture_names_every_limit_of_records_with_its_value() -> None:
    told = dict(
        re.findall(r"`(MAX_\w+)` ([^,|]+(?:,\d{3})*)", section_of("ARCHITECTURE.md", "Limits"))
    )
    expected = {name for name in vars(limits) if name.startswith("MAX_")}
    assert {name.strip() for name in told} == expected
    for name, value in told.items():
        assert in_figures(value.strip()) == getattr(limits, name), name


def in_figures(value: str) -> int:
    number, _, unit = value.replace(",", "").partition(" ")
    if number.startswith("2^"):
        return int(2 ** int(number[2:])) - 1
    return int(number) * {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]


def test_every_invariant_that_code_cites_stands_in_architecture() -> None:
    told = set(re.findall(r"^(\d+)\. ", section_of("ARCHITECTURE.md", "Invariants"), flags=re.M))
    for folder in ("proto", "policies", "client", "node", "demo", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for cited in re.findall(r"\b[Ii]nvariants? ((?:\d+(?:, | and )?)+)", path.read_text()):
                assert set(re.findall(r"\d+", cited)) <= told, path


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


def test_the_picture_of_the_demonstration_shows_its_cards_and_institutes() -> None:
    told = set(re.findall(r">([\w./-]+)</text>", (ROOT / "docs" / "demo.svg").read_text()))
    assert {institute.short for institute in INSTITUTES} <= told
    shown = {name for name in told if "/" in name}
    assert shown == {card.name for card in load_cards()}, "draw it anew: demo/picture.py"


def test_a_target_of_make_in_a_document_exists() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.M)
    assert {"demo", "test"} <= set(targets)
    for page in PAGES:
        for target in re.findall(r"[`\n]make ([a-z-]+)", page.read_text()):
            assert target in targets, page


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
