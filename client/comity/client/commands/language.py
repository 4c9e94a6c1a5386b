"""Which language a person reads, and the text of a language map (BCP 47 tag to text) for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

_FALLBACK: Final = "en"


def preferred_language() -> str:
    """Return the BCP 47 tag of the locale (``fr_CA.UTF-8`` gives ``fr-CA``), or ``en``."""
    # the order of POSIX, and its form: language_TERRITORY.codeset@modifier
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next((name for name in names if name), "")
    tag = locale.partition(".")[0].partition("@")[0].replace("_", "-")
    return _FALLBACK if tag in ("", "C", "POSIX") else tag


def choose_text(texts: Mapping[str, str]) -> str:
    """Return the text in the preferred language, else in English, else the first.

    A tag without region matches one with it, and the other way round. ``texts`` is not empty.
    """
    for wanted in (preferred_language(), _FALLBACK):
        base = wanted.partition("-")[0]
        # lookup as in RFC 4647, section 3.4, in two steps: the tag itself, then its language
        ranked = [tag for tag in texts if tag.lower() == wanted.lower()]
        ranked += [tag for tag in texts if tag.partition("-")[0] == base]
        if ranked:
            return texts[ranked[0]]
    return next(iter(texts.values()))
