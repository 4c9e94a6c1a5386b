"""The sample cards: a YAML draft each, in ``cards/<institute>/<model>.yaml``.

Invariant: what a card states was published by the model's developer; each card names its source
with the file's SHA-256, and says of itself that it is a sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from comity.client.drafts.draft import Draft
from demo.institutes import INSTITUTES

FOLDER: Final = Path(__file__).with_name("cards")


@dataclass(frozen=True, slots=True)
class Card:
    """One draft and the institute that writes it; ``name`` is ``<institute>/<model>``."""

    name: str
    issuer: str
    draft: Draft


@cache
def load_cards() -> tuple[Card, ...]:
    """Read every card, in the order of institutes and file names.

    Raises:
        InvalidInput: a draft is not valid; the message names the field.

    """
    return tuple(
        Card(f"{institute.short}/{path.stem}", institute.id, Draft.from_yaml(path.read_bytes()))
        for institute in INSTITUTES
        for path in sorted((FOLDER / institute.short).glob("*.yaml"))
    )
