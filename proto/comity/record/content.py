"""Content: the kinds of record, and what the sections of each kind hold.

``SECTION_MODELS`` is the one table of content models: from it follow the checks of a section, of a
draft and of a treaty, the JSON Schemas for editors (``schemas/``), and the order in which sections
are shown. A kind that is not in the table has no content models.

The models are strict (no unknown field, no coercion from text to number) and frozen. In JSON and
YAML their field names are camelCase. Invariants: a section name stands for the same model in every
kind that has it; a section without a model holds any I-JSON and is carried as it is, so that a
newer node's sections pass through an older one. What such a section states under ``domain`` and
``severity`` counts all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from comity.record.errors import BadContent
from comity.record.kind import Kind
from comity.record.kinds.model_card import MODEL_CARD_SECTIONS
from comity.record.limits import MAX_DOMAINS, MAX_NAME_CHARS
from comity.record.models import Model, describe, describe_all
from comity.record.severity import rank_of

SECTION_MODELS: Final[Mapping[Kind, Mapping[str, Any]]] = MappingProxyType(
    {Kind.MODEL_CARD: MODEL_CARD_SECTIONS}
)
"""The content models by kind and section name."""


def section_models(kind: Kind) -> Mapping[str, Any]:
    """Return the content models of a kind by section name; empty if the kind has none."""
    return SECTION_MODELS.get(kind, {})


@cache
def section_adapter(kind: Kind, name: str) -> TypeAdapter[Any]:
    """Return the validator of a section that has a content model."""
    return TypeAdapter(SECTION_MODELS[kind][name])


def check_content(kind: Kind, name: str, value: Any) -> Any:
    """Return the content model of a section's value (I-JSON).

    The value of a section without a content model is returned unchanged.

    Raises:
        BadContent: the value does not follow its model; names the field by its path.
        LimitExceeded: the section names more than MAX_DOMAINS domains.
    """
    field = f"sections.{name}"
    try:
        content = _read_model(kind, name, value)
    except ValidationError as error:
        path, message = describe(error)
        raise BadContent(message, field=f"{field}{path}") from error

    # with some domains left out, policy would see less than the issuer states
    MAX_DOMAINS.check(len(domains_and_severity(content)[0]), field)
    return content


def content_faults(kind: Kind, name: str, value: Any) -> list[BadContent]:
    """Return everything in which a section's value does not follow its model."""
    try:
        _read_model(kind, name, value)
    except ValidationError as error:
        found = describe_all(error)
        return [BadContent(message, field=f"sections.{name}{path}") for path, message in found]
    return []


def _read_model(kind: Kind, name: str, value: Any) -> Any:
    if name not in section_models(kind):
        return value
    return section_adapter(kind, name).validate_python(value, by_alias=True, by_name=False)


def domains_and_severity(value: Any) -> tuple[frozenset[str], int]:
    """Return the domains that a section's content names and the rank of its highest severity.

    ``value`` is a result of ``check_content``. Policy knows no more of a section's content.
    """
    items = items_of(value)
    highest = max((severity for _, severity in items), default=0)
    return frozenset(domain for domain, _ in items if domain), highest


def items_of(value: Any) -> frozenset[tuple[str, int]]:
    """Return what each item of a section states: its domain, and the rank of its severity.

    Each ``domain`` that is a name and each ``severity`` in the words of ``Severity`` counts, in
    models and objects at any depth; any other value under these keys is ignored. What an item does
    not state is empty, or 0.
    """
    found: set[tuple[str, int]] = set()
    for domain, severity in _statements(value):
        named = isinstance(domain, str) and 0 < len(domain) <= MAX_NAME_CHARS
        item = (str(domain) if named else "", rank_of(severity) if isinstance(severity, str) else 0)
        if any(item):
            found.add(item)
    return frozenset(found)


def _statements(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the domain and severity of each model, and of each object in plain JSON."""
    # a stack instead of recursion: plain JSON may be MAX_JSON_DEPTH levels deep
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item.get("domain"), item.get("severity")
            waiting.extend(item.values())
        elif isinstance(item, Model):
            yield getattr(item, "domain", None), getattr(item, "severity", None)
            waiting.extend(part for _, part in item)
        elif isinstance(item, list | tuple):
            waiting.extend(item)
