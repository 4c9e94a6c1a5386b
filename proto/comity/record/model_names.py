"""Names of models as search compares them, however they are written.

    Llama3.1, Llama 3.1, meta-llama/Llama-3.1-8B      all begin with llama 3 1
    phi3, Phi-3-mini                                  phi 3
    DALL-E Mini, dalle mini                           dallemini, without its spaces

A name is split where letters and digits meet, and each of its segments is kept once more without
any space. A query finds a name if its words stand in it in this order, if the segment without
spaces begins with it, or if it begins the digest of the weights with eight hex digits or more.

Invariant: a name is found by itself, in whatever case, spacing and punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from comity.record.errors import InvalidInput
from comity.record.search_terms import MAX_WORD_CHARS, Phrase, folded_words

MIN_DIGEST_CHARS: Final = 8
"""Hex digits from which a query can mean a digest."""

_MIN_JOINED_CHARS: Final = 3
"""A shorter query would be the beginning of too many names."""

_LETTERS_OR_DIGITS: Final = re.compile(r"\d+|\D+")
_SEGMENT: Final = re.compile(r"[/@:?#]+")
_DIGEST: Final = re.compile(rf"[0-9a-f]{{{MIN_DIGEST_CHARS},64}}")


def name_words(names: Iterable[str], digest: str) -> list[str]:
    """Return the words by which a model is found, from its names and the digest of its weights.

    Names are package URLs, names of providers, models and versions, and aliases.
    """
    # each name once, in order; a digest is one word, and not split
    split = [word for name in dict.fromkeys(names) for word in _split(name)]
    segments = [part for name in names for part in (*_SEGMENT.split(name), name)]
    joined = dict.fromkeys(filter(None, map(_joined, segments)))
    return [*split, *joined, _digest_word(digest)]


def parse_name(query: str, field: str = "model") -> tuple[Phrase, ...]:
    """Return the phrases of which one must stand among a model's ``name_words``.

    Raises:
        LimitExceeded: over MAX_WORD_CHARS words.
        InvalidInput: neither letter nor digit.
    """
    words = _split(query)
    MAX_WORD_CHARS.check(len(words), field)
    if not words:
        raise InvalidInput(f"expected letters or digits, got {query!r:.80}", field=field)

    found = [_phrase(words)]
    # a provider before the name may be written otherwise in the record, or stand elsewhere
    last = _SEGMENT.split(query)[-1] if "/" in query else ""
    if inner := _split(last):
        found.append(_phrase(inner))
    if len(joined := _joined(query)) >= _MIN_JOINED_CHARS:
        found.append(Phrase((joined,), prefix=True))
    if _DIGEST.fullmatch(digest := query.strip().lower()):
        found.append(Phrase((_digest_word(digest),), prefix=True))
    return tuple(dict.fromkeys(found))


def _phrase(words: list[str]) -> Phrase:
    # "mist" may go on to mistral, but version 3 not to 33
    return Phrase(tuple(words), prefix=not words[-1].isdigit())


def _split(name: str) -> list[str]:
    return [part for word in folded_words(name) for part in _LETTERS_OR_DIGITS.findall(word)]


def _joined(name: str) -> str:
    return "".join(folded_words(name))[:MAX_WORD_CHARS]


def _digest_word(digest: str) -> str:
    # marked, so that the beginning of a name is not taken for that of a digest
    return f"sha256{digest}"[:MAX_WORD_CHARS]
