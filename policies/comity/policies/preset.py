"""Presets: policies to begin with, each with a page about it and cases that are run as tests.

The folder ``presets/<name>/`` holds ``policy.cedar``, ``README.md``, ``allow/*.json`` and
``deny/*.json``.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

from comity.policies.cases import POLICY_FILE
from comity.record.errors import NotFound


def preset_names() -> list[str]:
    """Return the names of all presets, in alphabetical order."""
    return sorted(item.name for item in _presets().iterdir() if item.is_dir())


def preset_folder(name: str) -> Traversable:
    """Return a preset's folder, for ``read_policy`` and ``read_cases``.

    Raises:
        NotFound: no preset has that name; lists the names that exist.

    """
    if name not in preset_names():
        raise NotFound(f"expected one of {', '.join(preset_names())}, got {name!r:.80}")
    return _presets().joinpath(name)


def load_preset(name: str) -> str:
    """Return the text of a preset's policy.

    Raises:
        NotFound: no preset has that name; lists the names that exist.

    """
    return preset_folder(name).joinpath(POLICY_FILE).read_text(encoding="utf-8")


def _presets() -> Traversable:
    return resources.files("comity.policies").joinpath("presets")
