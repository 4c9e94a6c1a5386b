"""Faults of a draft: all of them at once, each with its line.

Invariant: a fault names the field by its path, the expected and the given value, and the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from comity.client.drafts.yaml_text import yaml_line
from comity.record.content import check_content, content_faults, section_models
from comity.record.errors import BadContent, BadDraft, InvalidInput
from comity.record.kind import Kind


def section_faults(value: Any) -> Iterator[InvalidInput]:
    """Yield what is wrong with the sections of a draft, whatever else is."""
    kind, sections = (value.get("kind"), value.get("sections")) if type(value) is dict else (0, 0)
    if kind not in set(Kind) or not isinstance(sections, dict):
        return

    models = section_models(Kind(kind))
    for name, content in sections.items():
        if models and name not in models:
            message = f"expected one of {', '.join(models)}, got {name!r:.80}"
            yield BadContent(message, field="sections")
            continue
        faults = content_faults(Kind(kind), name, content)
        yield from faults
        if not faults:
            try:
                check_content(Kind(kind), name, content)
            except InvalidInput as error:
                yield error


def one_error(data: bytes, faults: Sequence[InvalidInput]) -> InvalidInput:
    """Return the error about the faults of a draft, at least one; ``data`` is its YAML.

    A single fault is the error itself; several are a BadDraft that lists them by line.
    """
    placed = sorted(((yaml_line(data, fault.field), fault) for fault in faults), key=itemgetter(0))
    told = [_with_line(fault, line) for line, fault in placed]
    if len(told) == 1:
        return told[0]
    lines = "".join(f"\n  {fault}" for fault in told)
    return BadDraft(f"expected a draft without faults, got {len(told)}:{lines}")


def _with_line(fault: InvalidInput, line: int) -> InvalidInput:
    fault.message = f"{fault.message} (line {line})"
    # str(error) is made of args, which were set when it was raised
    fault.args = (f"{fault.field}: {fault.message}",)
    return fault
