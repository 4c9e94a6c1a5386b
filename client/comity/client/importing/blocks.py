"""The blocks that a card's text is made of, whether they were written in Markdown or in HTML."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class BlockKind(Enum):
    """What a block is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document.

    ``text`` is inline Markdown; ``line`` is counted from 1; ``level`` is the rank of a heading (1
    to 6) or the depth of a list item (from 1); ``rows`` are a table's cells, header first.
    """

    kind: BlockKind
    line: int
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()
