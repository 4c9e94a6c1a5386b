"""Policies to begin with, each a folder: the policy, a page about it, and cases that hold it.

``presets/<name>/policy.cedar``, ``README.md``, ``allow/*.json`` and ``deny/*.json``.
"""

from __future__ import annotations

from importlib import resources

from comity.policies.engine import read_resource
from comity.record.errors import NotFound


def preset_names() -> list[str]:
    """Return the presets' names, in alphabetical order."""
    folder = resources.files("comity.policies").joinpath("presets")
    return sorted(item.name for item in folder.iterdir() if item.is_dir())


def load_preset(name: str) -> str:
    """Return the text of a preset's policy.

    Raises:
        NotFound: no preset of that name; names those that exist.

    """
    if name not in preset_names():
        raise NotFound(f"expected one of {', '.join(preset_names())}, got {name!r:.80}")
    return read_resource(f"presets/{name}/policy.cedar")
