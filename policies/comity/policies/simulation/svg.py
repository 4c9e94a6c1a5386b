"""Pieces of an SVG document: its page, and text, squares and titles on it.

Invariant: text from a scenario is always escaped, and no piece loads anything from elsewhere.
"""

from __future__ import annotations

import re
from typing import Final
from xml.sax import saxutils

WIDTH: Final = 960
"""Width of the page, in pixels, as all lengths here."""

LEFT: Final = 64
RIGHT: Final = 24
"""Margins of the page."""

# XML 1.0, section 2.2: no other character may stand in a document, not even as a reference
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text_at(x: float, y: float, content: str, look: str, anchor: str = "start") -> str:
    """Return one line of text; ``look`` is its CSS classes, ``anchor`` its SVG text-anchor."""
    place = f'x="{x:.1f}" y="{y:.1f}" class="{look}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(content)}</text>"


def square_at(x: float, y: float, size: float) -> str:
    """Return the attributes of a ``rect`` that is a square; ``x`` and ``y`` are its corner."""
    return f'x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{size:.1f}"'


def title(content: str) -> str:
    """Return a title: browsers show it as a tooltip, and screen readers read it out."""
    return f"<title>{escape(content)}</title>"


def escape(content: str) -> str:
    """Return text as XML may hold it; each character that XML forbids becomes U+FFFD."""
    return saxutils.escape(_NOT_XML.sub("\ufffd", content))


def shorten(name: str, most: int) -> str:
    """Return a name of at most ``most`` characters; a name that is cut ends in an ellipsis."""
    return name if len(name) <= most else name[: most - 1] + "…"
