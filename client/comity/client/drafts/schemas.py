"""JSON Schemas (draft 2020-12) of drafts and of the sections that have content models, for editors.

    python -m comity.client.drafts.schemas schemas      writes schemas/<name>.schema.json
    comity schema draft                                 prints one

Invariant: a schema is made from the very models that check a draft, so what an editor accepts as
to names, types and ranges is what signing accepts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter

from comity.client.drafts.draft import Draft
from comity.record.content import SECTION_MODELS, section_adapter
from comity.record.handling import Handling
from comity.record.kind import Kind

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_DEFINITIONS: Final = "#/$defs/{model}"


_SECTIONS: Final = {
    name: partial(section_adapter, kind, name)
    for kind, models in SECTION_MODELS.items()
    for name in models
}
"""Makes the validator of each section: a name stands for one model, whatever kind has it."""


def draft_schema() -> dict[str, Any]:
    """Return the schema of a draft; it types each section of a kind that has content models."""
    adapters: dict[str, TypeAdapter[Any]] = {
        "draft": TypeAdapter(Draft),
        "handling": TypeAdapter(Handling),
        **{name: make() for name, make in _SECTIONS.items()},
    }
    by_key, shared = TypeAdapter.json_schemas(
        [(key, "validation", adapter) for key, adapter in adapters.items()],
        ref_template=_DEFINITIONS,
    )
    definitions = shared["$defs"]
    draft = definitions.pop("Draft")

    # a section's handling says only what is stricter than the record's
    stricter = {k: v for k, v in definitions["Handling"].items() if k != "required"}
    definitions["SectionHandling"] = stricter | {"title": "SectionHandling"}
    draft["properties"]["sectionHandling"]["additionalProperties"] = {
        "$ref": "#/$defs/SectionHandling"
    }

    by_kind = [
        _only_sections(kind, {name: by_key[name, "validation"] for name in models})
        for kind, models in SECTION_MODELS.items()
    ]
    return {"$schema": _DIALECT, **draft, "allOf": by_kind, "$defs": definitions}


def _only_sections(kind: Kind, sections: dict[str, Any]) -> dict[str, Any]:
    """Return the rule that a record of ``kind`` has these sections and no other."""
    return {
        "if": {"properties": {"kind": {"const": str(kind)}}},
        "then": {
            "properties": {"sections": {"properties": sections, "additionalProperties": False}}
        },
    }


def section_schema(name: str) -> dict[str, Any]:
    """Return the schema of a section that has a content model."""
    return {"$schema": _DIALECT, "title": name, **_SECTIONS[name]().json_schema()}


SCHEMAS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = MappingProxyType(
    {"draft": draft_schema, **{name: partial(section_schema, name) for name in _SECTIONS}}
)
"""Every schema by its name."""


def schema_files() -> dict[str, bytes]:
    """Return every schema as the contents of its file, by file name."""
    return {
        f"{name}.schema.json": json.dumps(make(), indent=2, ensure_ascii=False).encode() + b"\n"
        for name, make in SCHEMAS.items()
    }


def write_schemas(folder: Path) -> None:
    """Write every schema into a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in schema_files().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
