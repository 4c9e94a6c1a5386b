"""The names by which a score table may call the card's own model.

Invariant: in doubt a name is another model's. "LLaMA 13B" is not "OpenLLaMA 13B", "Llama Guard" not
"Llama Guard 2". Two names are the same, or differ only by a size or by a variant's name (and then
the number is kept with the name that stood there), or they are different models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

MODEL_SIZE: Final = re.compile(r"\b\d+(?:\.\d+)?\s?[bm]\b", re.IGNORECASE)
_FORMAT: Final = re.compile(r"\b(?:int|bf|fp|nf|q|w|a)-?\d+\b", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)*")
_ASIDE: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NOISE: Final = frozenset({"v", "hf", "model", "card", "for", "the", "family", "of", "ours", "our"})
_SIZE_WORDS: Final = frozenset({"xl", "large", "medium", "small", "mini", "tiny", "nano", "micro"})
_VARIANTS: Final = _SIZE_WORDS | frozenset(
    {"chat", "instruct", "instruction", "base", "it", "pretrained", "tuned", "preview", "dense"}
    | {"moe", "qat", "gguf", "awq", "gptq", "quantized"}
)


class NameMatch(IntEnum):
    """How well a name in a table fits the card's model; the greater, the better."""

    OTHER = 0
    VARIANT = 1
    """Another size or variant of the model."""
    OWN = 2


class ModelNames:
    """The names of one model; the words of ``provider`` may be left out of each or added to it."""

    def __init__(self, names: Iterable[str], provider: str = "") -> None:
        maker = frozenset(_tokens(provider))
        spellings = [name.replace("_", " ") for name in names]
        spellings += [
            " ".join(w for w in n.split() if w.casefold() not in maker) for n in spellings
        ]
        self._known = [name for name in spellings if _is_telling(_tokens(name))]

        # "OpenLLaMA" and "open llama" are one name
        self._joined = {"".join(_tokens(name)) for name in self._known}
        self._joined |= {"".join(t for t in _tokens(n) if t not in maker) for n in self._known}

    def match(self, label: str) -> NameMatch:
        """Tell whether a label names this model, another size or variant of it, or another one."""
        label = label.replace("_", " ")

        # (1) the whole label, what follows "org/", and the label without what is in brackets
        for text in (label, label.rpartition("/")[2], _ASIDE.sub(" ", label)):
            tokens = _tokens(text)
            known = any(_same(tokens, _tokens(name)) for name in self._known)
            if known or "".join(tokens) in self._joined:
                return NameMatch.OWN

        # (2) a size or a variant's name more or less
        bare = _ASIDE.sub(" ", label)
        if any(_is_variant(bare, name) for name in self._known):
            return NameMatch.VARIANT
        return NameMatch.OTHER


def _is_variant(label: str, name: str) -> bool:
    # a card of one size must not take the numbers of another: only what it leaves open may differ
    ours, theirs = _sizes(name), _sizes(label)
    if ours and theirs and not ours & theirs:
        return False
    own = set(_tokens(MODEL_SIZE.sub(" ", name)))
    other = set(_tokens(_FORMAT.sub(" ", MODEL_SIZE.sub(" ", label))))
    return _is_telling(list(other)) and own ^ other <= _VARIANTS


def _sizes(name: str) -> set[str]:
    numeric = {"".join(size.casefold().split()) for size in MODEL_SIZE.findall(name)}
    return numeric | (_SIZE_WORDS & set(_tokens(name)))


def _same(one: list[str], other: list[str]) -> bool:
    # "Ins" abbreviates "Instruct"
    if sorted(one) == sorted(other):
        return True
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(a == b or _abbreviates(a, b) for a, b in pairs)


def _abbreviates(short: str, full: str) -> bool:
    return len(short) > 2 and short.isalpha() and full.startswith(short)


def _tokens(text: str) -> list[str]:
    return [t for t in _TOKEN.findall(text.casefold()) if t not in _NOISE]


def _is_telling(tokens: list[str]) -> bool:
    return any(len(t) > 2 and t.isalpha() and t not in _VARIANTS for t in tokens)
