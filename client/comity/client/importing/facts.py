"""Facts that cards give as a name and a value: in bullets, bold lead-ins, tables and headings.

Invariants: the first value given for a name stands; a value is kept only where it is one (a number
of parameters, a language that is known), so that an operator never corrects nonsense.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from comity.client.importing.blocks import Block, BlockKind
from comity.client.importing.heading_words import FACTS, LANGUAGES, MODALITIES
from comity.client.importing.markdown import plain
from comity.client.importing.passages import Passage, normal
from comity.client.importing.statement_words import FILLER

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
_SCALE_WORDS: Final = {"million": 10**6, "billion": 10**9, "trillion": 10**12}
_BRACKETED_LINK: Final = re.compile(r"\s*\((?:website|link|site|homepage)\)", re.IGNORECASE)
_TAG: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_LINE_CHARS: Final = 1024
_DEVELOPER_CHARS: Final = 160


def facts(passages: list[Passage]) -> dict[str, str]:
    """Return what a card says under the names of FACTS, as plain text of one line."""
    found: dict[str, str] = {}
    for passage in passages:
        for name, value in _pairs(passage):
            key = next((key for key, words in FACTS.items() if words.search(normal(name))), None)
            text = plain(value)[:_LINE_CHARS].strip()
            if key and text.strip("-–— ") and not FILLER.fullmatch(text.strip("[]. ")):
                found.setdefault(key, text)
    found["developer"] = _BRACKETED_LINK.sub("", found.get("developer", "")).strip()
    if len(found["developer"]) > _DEVELOPER_CHARS or found["developer"].endswith("."):
        found["developer"] = ""
    return {key: value for key, value in found.items() if value}


def count_of(text: str) -> int | None:
    """Return a number of parameters ("7B", "1.5 billion"); None where it is not exactly one."""
    numbers = _COUNT.findall(text)
    if len(numbers) != 1:
        return None
    number, unit = numbers[0]
    return round(float(number) * (_SCALE_WORDS.get(unit.lower()) or _SCALE[unit[0].lower()]))


def language_tags(names: list[str]) -> list[str]:
    """Return the BCP 47 tags of languages given as tags, ISO 639 codes or names; others dropped."""
    tags: dict[str, None] = {}
    for name in names:
        # "the following languages: English" ends in one
        last = name.rpartition(" ")[2].casefold()
        known = LANGUAGES.get(name.casefold()) or (LANGUAGES.get(last) if len(last) > 3 else None)
        if known or _TAG.fullmatch(name):
            tags.setdefault(known or name)
    return list(tags)


def words_of(text: str) -> list[str]:
    """Split an enumeration ("English, German and Thai") into its words."""
    return [
        w.strip(" .") for w in re.split(r"[,;/、，]|\band\b|\bund\b|\bet\b", text) if w.strip(" .")
    ]


def modalities_of(text: str) -> list[str]:
    """Return the modalities that a text or a pipeline's name speaks of, in its order."""
    found = (MODALITIES.get(word) for word in re.findall(r"[a-z]+", text.lower()))
    return list(dict.fromkeys(modality for modality in found if modality))


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
    return len(block.text) <= _DEVELOPER_CHARS and len(passage.blocks) <= 2
