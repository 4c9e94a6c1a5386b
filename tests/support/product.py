"""The product's own source files: neither generated code nor migrations, which are history."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.support.paths import ROOT

FOLDERS: Final = ("proto/comity/record", "policies/comity", "client/comity", "node/comity")


def product_files() -> list[Path]:
    """Return all modules of the product, in order."""
    files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    return sorted(file for file in files if "migrations" not in file.parts)


def module_name(file: Path) -> str:
    """Return a module's name as it is imported, such as ``comity.node.node``."""
    _, *parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts)
