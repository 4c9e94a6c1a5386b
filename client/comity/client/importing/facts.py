"""Facts that cards give as a name and a value: in bullets, bold lead-ins, tables and headings.

Invariants: the first value given for a name stands; a value is kept only where it is one (a number
of parameters, a language that is known), so that an operator never corrects nonsense.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from comity.client.importing.blocks import Block, BlockKind
from comity.client.importing.fact_words import FACT_NAMES, MODALITIES
from comity.client.importing.language_words import LANGUAGE_TAGS
from comity.client.importing.markdown import plain
from comity.client.importing.passages import Passage, normal
from comity.client.importing.statement_words import FILLER
from comity.record.limits import MAX_LINE_CHARS

_PAIR: Final = re.compile(
    r"\s*(?:\*\*|__)(?P<bold>[^*_\n]{2,48}?):?\s*(?:\*\*|__)\s*[:：]?\s*(?P<first>[^\n]+)(?:\n.*)?"
    r"|\s*(?P<word>[^:：*\n]{2,48})[:：]\s+(?P<second>[^\n]+)(?:\n.*)?",
    re.DOTALL,
)
_COUNT: Final = re.compile(
    r"(?:about |~|≈)?(\d+(?:\.\d+)?)\s?(k|m|b|t|million|billion|trillion)\b(?: parameters)?",
    re.IGNORECASE,
)
_SCALE: Final = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
"""By the first letter of a unit: "M" and "million" are one."""

_BRACKETED_LINK: Final = re.compile(r"\s*\((?:website|link|site|homepage)\)", re.IGNORECASE)
_TAG: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_BETWEEN_WORDS: Final = re.compile(r"[,;/、，]|\band\b|\bund\b|\bet\b")
_BRIEF_CHARS: Final = 160


def facts_in(passages: list[Passage]) -> dict[str, str]:
    """Return a card's facts by the keys of FACT_NAMES, as plain text of one line."""
    found: dict[str, str] = {}
    for passage in passages:
        for name, value in _pairs(passage):
            key = _key_of(name)
            text = plain(value)[:MAX_LINE_CHARS].strip()
            if key and text.strip("-–— ") and not FILLER.fullmatch(text.strip("[]. ")):
                found.setdefault(key, text)

    # a sentence about the developer is no name
    developer = _BRACKETED_LINK.sub("", found.pop("developer", "")).strip()
    if developer and len(developer) <= _BRIEF_CHARS and not developer.endswith("."):
        found["developer"] = developer
    return found


def count_of(text: str) -> int | None:
    """Return a number of parameters ("7B", "1.5 billion"); None unless the text has exactly one."""
    numbers = _COUNT.findall(text)
    if len(numbers) != 1:
        return None
    number, unit = numbers[0]
    return round(float(number) * _SCALE[unit[0].lower()])


def language_tags(names: list[str]) -> list[str]:
    """Return the BCP 47 tags of languages given by tag, ISO 639 code or name; drop all others."""
    tags: dict[str, None] = {}
    for name in names:
        known = LANGUAGE_TAGS.get(name.casefold())

        # "the following languages: English" ends in the name of one
        last = name.rpartition(" ")[2].casefold()
        if known is None and len(last) > 3:
            known = LANGUAGE_TAGS.get(last)

        if known or _TAG.fullmatch(name):
            tags.setdefault(known or name)
    return list(tags)


def words_of(text: str) -> list[str]:
    """Split an enumeration ("English, German and Thai") into its words."""
    words = (word.strip(" .") for word in _BETWEEN_WORDS.split(text))
    return [word for word in words if word]


def modalities_of(text: str) -> list[str]:
    """Return the modalities that a text or a pipeline's name mentions, in its order."""
    found = (MODALITIES.get(word) for word in re.findall(r"[a-z]+", text.lower()))
    return list(dict.fromkeys(modality for modality in found if modality))


def _key_of(name: str) -> str | None:
    wanted = normal(name)
    return next((key for key, words in FACT_NAMES.items() if words.search(wanted)), None)


def _pairs(passage: Passage) -> Iterator[tuple[str, str]]:
    for index, block in enumerate(passage.blocks):
        if block.kind is BlockKind.TABLE:
            yield from ((row[0], row[1]) for row in block.rows if len(row) == 2)
        elif match := _PAIR.fullmatch(block.text):
            yield match["bold"] or match["word"], match["first"] or match["second"]
        elif index == 0 and _is_brief(passage, block):
            yield passage.heading, block.text


def _is_brief(passage: Passage, block: Block) -> bool:
    # under "Model Date" one short line is the date
    return len(block.text) <= _BRIEF_CHARS and len(passage.blocks) <= 2
