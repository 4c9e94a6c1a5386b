"""The front matter of a Hugging Face card: a YAML mapping between two lines of three hyphens.

A file without front matter is a card in plain Markdown. Invariants: lines are counted in the file
as it was handed in, so that a refusal names the line that an editor shows; no string that leaves
this module holds U+0000 or a lone surrogate, which neither a record nor a database can keep.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from comity.client.drafts.yaml_text import load_yaml
from comity.record.errors import InvalidInput
from comity.record.limits import Limit

MAX_FRONT_MATTER_BYTES: Final = Limit("MAX_FRONT_MATTER_BYTES", 256 << 10, "bytes")
"""Twenty times the longest seen (a licence in full); YAML is read at some 100 KB a second."""

_FENCE: Final = re.compile(r"---[ \t]*")
_PLACEHOLDER: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{card_data\}")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_YAML_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_DATASET_KEYS: Final = frozenset(
    {"dataset_info", "task_categories", "size_categories", "annotations_creators", "task_ids"}
)


@dataclass(frozen=True, slots=True)
class CardFile:
    """The text of a card in two parts.

    ``metadata`` is the front matter, or None if the file has none; ``body`` is the Markdown below
    it, with line feeds only; ``first_line`` is the number of the body's first line, from 1.
    """

    metadata: Mapping[str, Any] | None
    body: str
    first_line: int


def read_card_file(data: bytes) -> CardFile:
    """Split a card into front matter and body.

    Raises:
        LimitExceeded: front matter over MAX_FRONT_MATTER_BYTES.
        InvalidInput: not UTF-8, not YAML, not a mapping, an unrendered template, or a data-set
            card; names the line or the field.
    """
    text = _decode(data)
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    if start == len(lines):
        raise InvalidInput("expected a model card, got an empty file", field="line 1")

    # without front matter the whole file is the body
    end = _closing_fence(lines, start)
    if end is None:
        _refuse_template(lines, start, start + 1)
        return CardFile(None, text, 1)

    _refuse_template(lines, start, end + 1)
    metadata = _mapping("\n".join(lines[start + 1 : end]), start + 1)
    _refuse_data_set(metadata)
    return CardFile(metadata, "\n".join(lines[end + 1 :]), end + 2)


def storable(text: str) -> str:
    """Return the text with U+0000 and lone surrogates replaced by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def texts(value: Any) -> list[str]:
    """Return the strings and numbers of a field, one or a list of them, as a list of strings."""
    items = value if isinstance(value, list) else [value]
    found = [str(i) for i in items if isinstance(i, str | int | float) and not isinstance(i, bool)]
    return [storable(text.strip()) for text in found if text.strip()]


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"expected UTF-8, got byte 0x{error.object[error.start]:02x}"
        raise InvalidInput(message, field=f"line {line}") from error
    return storable(text.replace("\r\n", "\n").replace("\r", "\n"))


def _closing_fence(lines: list[str], start: int) -> int | None:
    # a rule of three hyphens may also open a plain Markdown file; then no second one need follow
    if not _FENCE.fullmatch(lines[start]):
        return None
    fences = (i for i in range(start + 1, len(lines)) if _FENCE.fullmatch(lines[i]))
    return next(fences, None)


def _refuse_template(lines: list[str], start: int, end: int) -> None:
    # braces in the body may be a chat template in an example; in the first lines they are not
    for number in range(start, min(end, start + 64)):
        match = _PLACEHOLDER.search(lines[number])
        if match and lines[number].startswith(("#", match[0])):
            message = f"expected a rendered card, got the template placeholder {match[0]:.60}"
            raise InvalidInput(message, field=f"line {number + 1}")


def _mapping(yaml: str, lines_before: int) -> Mapping[str, Any]:
    MAX_FRONT_MATTER_BYTES.check(len(yaml.encode()), f"line {lines_before}")

    # blank lines in front keep YAML's line numbers those of the file
    padded = "\n" * lines_before + _YAML_UNPRINTABLE.sub(" ", yaml)
    try:
        value = load_yaml(padded.encode())
    except InvalidInput as error:
        raise InvalidInput(error.message, field="front matter", hint=error.hint) from error

    if value is None:
        return {}
    if not isinstance(value, dict):
        message = f"expected a mapping as front matter, got a {_kind(value)}"
        raise InvalidInput(message, field=f"line {lines_before + 1}")
    return {str(key): item for key, item in value.items()}


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else type(value).__name__


def _refuse_data_set(metadata: Mapping[str, Any]) -> None:
    found = sorted(_DATASET_KEYS & metadata.keys())
    if found and "pipeline_tag" not in metadata and "model-index" not in metadata:
        message = f"expected a model card, got a data-set card (it has {', '.join(found)})"
        raise InvalidInput(message, field=found[0])
