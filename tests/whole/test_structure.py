"""The structure of the code: few folders, short files, short functions, tests that stand alone."""

from __future__ import annotations

import ast
from functools import cache
from itertools import pairwise

import grimp

from tests.support.paths import ROOT
from tests.support.product import module_name, product_files

MAX_NODE_ENTRIES = 14
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 50
MAX_CHAIN = 17


def test_the_node_has_few_entries() -> None:
    folder = ROOT / "node" / "comity" / "node"
    entries = [entry.name for entry in folder.iterdir() if entry.name != "__pycache__"]
    assert len(entries) <= MAX_NODE_ENTRIES, sorted(entries)


def test_no_file_of_the_product_is_long() -> None:
    lines = {module_name(file): len(file.read_text().splitlines()) for file in product_files()}
    assert {name for name, count in lines.items() if count > MAX_FILE_LINES} == set()


def test_no_function_of_the_product_is_long() -> None:
    found = {
        f"{module_name(file)}.{node.name}"
        for file in product_files()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    }
    assert found == set()


def test_each_migration_follows_the_one_before() -> None:
    folder = ROOT / "node" / "comity" / "node" / "database" / "migrations" / "versions"
    texts = {file.name[:4]: file.read_text() for file in sorted(folder.glob("[0-9]*.py"))}
    assert len(texts) == len(list(folder.glob("[0-9]*.py"))), "two migrations have one number"
    for before, number in pairwise(texts):
        assert f'\nrevision = "{number}"\ndown_revision = "{before}"\n' in texts[number], number


def test_no_test_imports_another_test() -> None:
    borrowed = {
        f"{file.relative_to(ROOT)} imports {node.module}"
        for file in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom)
        and any(part.startswith("test_") for part in (node.module or "").split("."))
    }
    assert borrowed == set(), "move what tests share to tests/support"


def test_no_chain_of_imports_inside_the_node_is_long() -> None:
    graph = grimp.build_graph("comity.node", cache_dir=None)

    # imports for type checking count; a circle has no end, and fails here too
    @cache
    def chain(module: str) -> tuple[str, ...]:
        imported = graph.find_modules_directly_imported_by(module)
        return (module, *max(map(chain, sorted(imported)), key=len, default=()))

    longest = max(map(chain, sorted(graph.modules)), key=len)
    assert len(longest) <= MAX_CHAIN, longest
