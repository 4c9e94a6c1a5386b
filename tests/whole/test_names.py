"""A public name of the product says one thing: no two modules define the same one."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.support.product import module_name, product_files

DEFINED_TWICE = {
    "main": "comity and comity-node each have an entry point",
}
"""Names that two modules define, and why they may."""


def test_no_two_modules_define_the_same_public_name() -> None:
    modules = defaultdict(set)
    for path in product_files():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                modules[node.name].add(module_name(path))

    twice = {n: sorted(m) for n, m in modules.items() if len(m) > 1 and not n.startswith("_")}
    fresh = {name: where for name, where in twice.items() if name not in DEFINED_TWICE}
    assert fresh == {}, "rename one of each, so that its name says what only it does"
    stale = sorted(DEFINED_TWICE.keys() - twice.keys())
    assert stale == [], "strike these out of DEFINED_TWICE: they are defined once now"
