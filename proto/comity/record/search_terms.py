"""Words as search sees them: the same for a node's index, for a query, and for what is highlighted.

    "Straße"         strasse              case and ß          (Unicode full case folding)
    "café"           cafe                 accents, in either form, of Latin, Greek and Cyrillic
    "ISPARTA", "ı"   isparta, i           a dotless i is an i
    "ﬁne ½"          fine, 1, 2           compatibility forms (NFKC)
    "nist-600:cbrn"  nist, 600, cbrn      everything but letters and digits parts words
    "生物安全"        生, 物, 安, 全         scripts without spaces: each character is a word

Vowel marks of Arabic and Hebrew are left out. Signs of the scripts of India are kept, since they
change a word. A query is words, "phrases in quotation marks" and prefix*; what is one term in a
query and several words here is looked for as a phrase.

Invariants: ``fold`` is idempotent; a word holds letters and digits only, so no text can become
syntax of a database's query; words are cut to MAX_WORD_CHARS on both sides alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from comity.record.errors import InvalidInput
from comity.record.limits import Limit

MAX_FILTER_WORDS: Final = Limit("MAX_FILTER_WORDS", 32, "words")
"""Words of one text of a filter: each of them is looked up in the index."""

MAX_WORD_CHARS: Final = Limit("MAX_WORD_CHARS", 64, "characters")
"""Characters of one word: longer words are none of a language, and an index has its own limits."""

# Hangul parts its words, but particles are written on to them
_SPACELESS: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff"  # Thai, Lao, Myanmar, Jamo, Khmer
    "\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_MARKS: Final = "\u0300-\u036f\u0591-\u05bd\u0640\u064b-\u065f\u0670"
"""Combining accents, the points of Hebrew, and the vowel marks and tatweel of Arabic."""

_INDIC: Final = "\u0900-\u0963\u0966-\u0dff"
"""Letters and signs of the scripts of India, where a sign is no letter to Python."""

_WORD: Final = re.compile(
    rf"[{_SPACELESS}]|(?:(?:(?![{_SPACELESS}])[^\W_]|[{_INDIC}])[{_MARKS}]*)+"
)
_SPACES: Final = "".join(chr(c) if chr(c).isalnum() else " " for c in range(128))
"""Maps each ASCII character to itself or a space, which is faster than a pattern."""

_DROPPED: Final = re.compile(f"[{_MARKS}]")
_TERM: Final = re.compile(r'"([^"]*)"(\*?)|([^\s"]+)')


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand one after the other; with ``prefix`` the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False


def fold(text: str) -> str:
    """Return a text without the differences that search ignores; see the module."""
    # once more, since folding case can make forms that NFKC joins, and the other way round
    return _folded_once(_folded_once(text))


def _folded_once(text: str) -> str:
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    bare = _DROPPED.sub("", decomposed).replace("\u0131", "i")
    return unicodedata.normalize("NFKC", bare).casefold()


def folded_words(text: str) -> list[str]:
    """Return the words of a text in their order."""
    folded = fold(text).translate(_SPACES)
    words = folded.split() if folded.isascii() else _WORD.findall(folded)
    if max(map(len, words), default=0) > MAX_WORD_CHARS:
        words = [word[:MAX_WORD_CHARS] for word in words]
    return words


def parse_query(text: str, field: str = "text") -> tuple[Phrase, ...]:
    """Return the phrases of a query, all of which a record must hold; signs alone are left out.

    Raises:
        LimitExceeded: over MAX_FILTER_WORDS words, or one over MAX_WORD_CHARS.
        InvalidInput: a quotation mark is left open, or there is neither letter nor digit.
    """
    if text.count('"') % 2:
        raise InvalidInput('expected a second quotation mark, got one "', field=field)
    written = text.replace('"', " ").split()
    MAX_FILTER_WORDS.check(len(written), field)
    MAX_WORD_CHARS.check(max(map(len, written), default=0), field)

    found: dict[Phrase, None] = {}
    for quoted, star, bare in _TERM.findall(text):
        if words := folded_words(quoted or bare):
            found[Phrase(tuple(words), prefix=bool(star) or bare.endswith("*"))] = None
    if not found:
        raise InvalidInput(f"expected letters or digits, got {text!r:.80}", field=field)
    return tuple(found)


def find_spans(text: str, phrases: Iterable[Phrase]) -> list[tuple[int, int]]:
    """Return where phrases stand in a text, as (start, end) of its characters, in order.

    Spans do not overlap.
    """
    placed = [(span, word) for span, words in _spans(text) for word in words]
    words = [word for _, word in placed]
    hits = {
        (placed[at][0][0], placed[at + len(phrase.words) - 1][0][1])
        for phrase in phrases
        for at in range(len(words) - len(phrase.words) + 1)
        if _stands_at(words, at, phrase)
    }

    merged: list[tuple[int, int]] = []
    for start, end in sorted(hits):
        if merged and start < merged[-1][1]:
            start, end = merged[-1][0], max(end, merged.pop()[1])
        merged.append((start, end))
    return merged


def _stands_at(words: list[str], at: int, phrase: Phrase) -> bool:
    *before, last = phrase.words
    end = at + len(before)
    if words[at:end] != before:
        return False
    return words[end].startswith(last) if phrase.prefix else words[end] == last


def _spans(text: str) -> Iterator[tuple[tuple[int, int], list[str]]]:
    """Yield each run of letters and digits: its place, and the words that it folds to."""
    for match in _WORD.finditer(text):
        # a compatibility form can fold to several words, or to none
        yield match.span(), folded_words(match[0])
