"""The names and codes of languages, and the words that tell which language a text is in. Data only.

Both tables are written as a string of words for each language's BCP 47 tag.
"""

from __future__ import annotations

from typing import Final

_COMMON: Final = {
    "en": "the of and is to in for this are with that model it be",
    "fr": "le la les des une est et pour dans que du ce sur modèle par",
    "de": "der die das und ist ein eine für mit nicht den von modell wird auf",
    "es": "el los las una es y para en del que con por modelo se no",
    "pt": "o os as uma é e para em do da que com por modelo não",
    "it": "il gli una è e per di che con del della modello sono non",
    "nl": "de het een is en voor van met niet dat op model zijn wordt",
}

COMMON_WORDS: Final = {tag: frozenset(words.split()) for tag, words in _COMMON.items()}
"""Frequent words of languages in the Latin script, by BCP 47 tag."""

_NAMES: Final = {
    "ar": "arabic ara",
    "bn": "bengali",
    "cs": "czech ces",
    "da": "danish",
    "de": "german deutsch deu ger",
    "el": "greek",
    "en": "english anglais englisch inglés 英語 英文 영어 eng",
    "es": "spanish español spa",
    "fa": "persian fas",
    "fi": "finnish",
    "fr": "french français fra fre",
    "he": "hebrew",
    "hi": "hindi hin",
    "id": "indonesian ind",
    "it": "italian ita",
    "ja": "japanese 日本語 jpn",
    "ko": "korean 한국어 kor",
    "nl": "dutch dut nld",
    "no": "norwegian nor",
    "pl": "polish pol",
    "pt": "portuguese por",
    "ro": "romanian",
    "ru": "russian rus",
    "sv": "swedish swe",
    "sw": "swahili",
    "th": "thai tha",
    "tr": "turkish tur",
    "uk": "ukrainian ukr",
    "vi": "vietnamese vie",
    "zh": "chinese 中文 chi cmn zho",
}

LANGUAGE_TAGS: Final = {name: tag for tag, names in _NAMES.items() for name in names.split()}
"""The shortest tag, which BCP 47 asks for, by a language's name or ISO 639-2 code."""
