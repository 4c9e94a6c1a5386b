"""Model cards that tests import, and what their sections say."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from comity.client.importing import Imported, import_bytes, import_file
from tests.support.paths import SAMPLES


def sample_sections(name: str) -> dict[str, Any]:
    """Return the sections of an imported sample."""
    return import_file(SAMPLES / name).draft.sections


def import_text(text: str, place: str = "/cards/pebble.md") -> Imported:
    """Import a card from its text, as if it lay in this place."""
    return import_bytes(text.encode(), PurePath(place))


def statements(card: Imported, section: str) -> list[str]:
    """Return the statements of a section, or the scenarios of its risks."""
    key = "scenario" if section == "risks" else "statement"
    return [entry[key] for entry in card.draft.sections.get(section, [])]


def scores(card: Imported) -> dict[str, list[tuple[str, float, str]]]:
    """Return metric, value and unit of each score, by evaluation."""
    return {
        e["name"]: [(s["metric"], s["value"], s["unit"]) for s in e["scores"]]
        for e in card.draft.sections.get("evaluations", [])
    }
