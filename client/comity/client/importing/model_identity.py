"""The model that a card describes: its name, maker and package URL; and the card's language.

A card seldom says outright which model it describes. In order of trust: the place of the file (a
download cache, or ``org__name.md``), the title, a name in the front matter, links, the first
sentence, and at last the file's name. Invariant: nothing is made up; an unknown part of the package
URL is "unknown" or "unversioned".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from packageurl import PackageURL

from comity.client.importing.blocks import Block, BlockKind
from comity.client.importing.frontmatter import texts
from comity.client.importing.language_words import COMMON_WORDS
from comity.client.importing.markdown import plain
from comity.client.importing.passages import topics_of
from comity.record.limits import MAX_LINE_CHARS

UNKNOWN: Final = "unknown"
UNVERSIONED: Final = "unversioned"

# places: a folder of Hugging Face's download cache, a commit in it, and "org__name.md"
_CACHE: Final = re.compile(r"models--([\w.-]+?)--([\w.-]+)")
_REVISION: Final = re.compile(r"[0-9a-f]{40}")
_REPO: Final = re.compile(r"([A-Za-z0-9][\w.-]{0,95})__([A-Za-z0-9][\w.-]{0,95})")

_LINK: Final = re.compile(r"huggingface\.co/([\w.-]{1,96})/([\w.-]{1,96})")
_NOT_OWNERS: Final = frozenset(
    {"datasets", "spaces", "docs", "blog", "papers", "models", "collections"}
)

# titles: what stands around a name, what is no name, and a name as the subject of a sentence
_AROUND: Final = re.compile(
    r"^(hugging ?face )?(model )?card\s*(for|of|:|-|–|—)?\s*|\s*[-–—:|]?\s*model ?card$",
    re.IGNORECASE,
)
_GENERIC: Final = re.compile(
    r"(model[ _-]?)?(card|details|information|description|overview|summary|name)?|readme([-_]\w+)?|"
    r"index|docs?|models?|introduction|evaluation|table of contents|news|performance|usage|#?",
    re.IGNORECASE,
)
_SUBJECT: Final = re.compile(
    r"(?:^|\bthe |\bThe )((?:[A-Z][\w.-]*|\d[\w.]*)(?: (?:[A-Z][\w.-]*|\d[\w.]*)){0,4})"
    r" (?:is an?|are an?|family|collection|models? (?:is|are)|multilingual|\(?[A-Z]{2,}\)? is)"
)

_TITLE_CHARS: Final = 200
_SCRIPTS: Final = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
)


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """The model a card describes. ``repository`` is a Hugging Face id, ``org/name``, or empty."""

    title: str
    provider: str
    model: str
    version: str
    repository: str
    revision: str

    @property
    def purl(self) -> str:
        """Package URL: of the Hugging Face repository where known, else a generic one."""
        if self.repository:
            owner, _, name = self.repository.rpartition("/")
            return PackageURL("huggingface", owner, name, self.revision or None).to_string()
        whole = self._generic_purl(_TITLE_CHARS)
        # percent-encoding makes up to twelve characters of one
        return whole if len(whole) <= MAX_LINE_CHARS else self._generic_purl(MAX_LINE_CHARS // 40)

    def _generic_purl(self, chars: int) -> str:
        provider, model, version = (t[:chars] for t in (self.provider, self.model, self.version))
        return PackageURL("generic", provider, model, version).to_string()


def identify(
    path: PurePath,
    metadata: Mapping[str, Any] | None,
    blocks: list[Block],
    facts: Mapping[str, str],
) -> ModelIdentity:
    """Find out which model a card describes; ``path`` is where it lay and need not exist.

    ``metadata`` is None for a card without front matter.
    """
    # a name that is sure helps to find the repository, and the repository the provider
    repository, revision = _from_place(path)
    title = _title(blocks)
    name = repository.rpartition("/")[2] or _named(metadata) or title.partition(": ")[0]
    repository = repository or _from_links(blocks, name or "", metadata is not None)
    model = name or _from_sentence(blocks) or _from_file(path)

    provider = facts.get("developer") or repository.rpartition("/")[0] or UNKNOWN
    return ModelIdentity(
        title=title or model,
        provider=provider,
        model=model,
        version=facts.get("version") or revision or UNVERSIONED,
        repository=repository,
        revision=revision,
    )


def language_of(text: str) -> str:
    """Return the BCP 47 tag of the language that a text is most likely written in."""
    sample = text[:20_000]

    # (1) by its script: names and terms in Latin letters may be most of a text in another one
    letters = sum(map(str.isalpha, sample)) or 1
    for tag, script in _SCRIPTS:
        if len(script.findall(sample)) > letters * 0.15:
            return tag

    # (2) by its most frequent words, in doubt English
    words = Counter(re.findall(r"[^\W\d_]+", sample.casefold()))
    hits = {tag: sum(words[w] for w in common) for tag, common in COMMON_WORDS.items()}
    best = max(hits, key=lambda tag: hits[tag])
    return best if hits[best] > hits["en"] * 1.2 else "en"


def _from_place(path: PurePath) -> tuple[str, str]:
    for position, part in enumerate(path.parts):
        if match := _CACHE.fullmatch(part):
            revisions = (p for p in path.parts[position:] if _REVISION.fullmatch(p))
            return f"{match[1]}/{match[2]}", next(revisions, "")

    # Hugging Face allows neither "--" nor a second "__" in a repository's name
    match = _REPO.fullmatch(path.stem)
    if match and "--" not in path.stem and "__" not in match[2]:
        return f"{match[1]}/{match[2]}", ""
    return "", ""


def _title(blocks: list[Block]) -> str:
    for block in blocks:
        if block.kind is not BlockKind.HEADING or block.level > 2:
            continue
        text = _AROUND.sub("", plain(block.text)).strip(" :-–—#*_")

        # "Model Card" stands above the title; "Overview" or "Limitations" where there is none
        if _GENERIC.fullmatch(text) and _AROUND.search(plain(block.text)):
            continue
        if _GENERIC.fullmatch(text) or topics_of(text):
            return ""
        if len(text) <= _TITLE_CHARS and "://" not in text:
            return text
    return ""


def _named(metadata: Mapping[str, Any] | None) -> str:
    index = (metadata or {}).get("model-index")
    first = index[0] if isinstance(index, list) and index else None
    names = texts(first.get("name")) if isinstance(first, dict) else []
    return names[0][:_TITLE_CHARS] if names else ""


def _from_links(blocks: list[Block], name: str, is_hub_card: bool) -> str:
    # of all models that a card links to, its own is the one that bears its name
    wanted = _letters(name)
    if not wanted or not is_hub_card:
        return ""
    found = (m for b in blocks for m in _LINK.finditer(b.text) if m[1] not in _NOT_OWNERS)
    return next((f"{m[1]}/{m[2]}" for m in found if _letters(m[2]) == wanted), "")


def _from_sentence(blocks: list[Block]) -> str:
    for block in blocks[:12]:
        if block.kind is BlockKind.PARAGRAPH and (
            match := _SUBJECT.search(plain(block.text)[:400])
        ):
            return match[1].removeprefix("The ")
    return ""


def _from_file(path: PurePath) -> str:
    parts = [*path.parts[-3:-1], *re.split(r"--|__", path.stem)]
    telling = [part for part in parts if not _GENERIC.fullmatch(part)]
    return (telling[-1] if telling else path.stem)[:_TITLE_CHARS] or UNKNOWN


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())
