"""The drafts that ``comity new`` writes: every field, explained, to be filled in.

Invariant: the sections are made from the content models, so that none is forgotten here.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, get_args, get_origin

from pydantic.fields import FieldInfo

from comity.record.content import SECTION_MODELS
from comity.record.kind import Kind
from comity.record.models import Model

_HEAD: Final = """\
# yaml-language-server: $schema=draft.schema.json
#
# The draft of a model card. Fill in what is empty, take the # from the lines you need, then:
#   comity sign THIS-FILE --key KEY --issuer SPIFFE-ID
#
# comity schema > draft.schema.json, beside this file, lets your editor complete and check it.

kind: model-card

subject:
  # A package URL where one fits: pkg:huggingface/meta-llama/Llama-3.1-8B,
  # pkg:generic/openai/gpt-4o@2024-08-06
  name:
  # Which model, where its weights cannot be hashed:
  model:
    provider:
    model:
    version:
  # or else, instead of model, the SHA-256 of the weights' manifest (OpenSSF model signing):
  # digest:

# By language tag (BCP 47); add as many as you like.
title:
  en:
summary:
  en:

# Who may be given this record. tlp is RED, AMBER+STRICT, AMBER, GREEN or CLEAR.
handling:
  tlp:
  # Institutes, for RED and AMBER; an empty list means nobody.
  # releasableTo: [ca.aisi.example]
  # Whether a receiver may pass it on; never with RED or AMBER+STRICT.
  # onward: true
  # Nobody is given it before:
  # embargo: 2027-01-31T09:00:00Z
  # The only uses that are allowed:
  # purposes: [safety-evaluation]

# tags: [open-weights]

# Records that this one is about: evaluates, mitigates, refines, …
# references:
#   - record: <record id>
#     relation: refines

# The record that this one replaces:
# supersedes: <record id>

# Every section can be withheld on its own. Sections that you leave out do not exist.
sections:
"""

_TAIL: Final = """
# Stricter conditions for single sections; what you leave out is taken from handling above.
# sectionHandling:
#   risks:
#     tlp: AMBER
#     releasableTo: [ca.aisi.example]
"""

_WITHDRAWAL: Final = """\
# yaml-language-server: $schema=draft.schema.json
#
# A notice by which your institute withdraws a record of its own. Fill in what is empty, then, at
# your node:
#   comity-node publish THIS-FILE
#
# Peers that hold the record are shown the notice before anything else of it, and give it to nobody.
# What they have read they have read: a notice binds only those that honour it.

kind: withdrawal

# The subject of the record that is withdrawn: comity show ID --json has its name and digest.
subject:
  name:
  digest:

# What has happened, in a line, by language tag (BCP 47).
title:
  en:

# The reason, so that readers know what they relied on.
summary:
  en:

# Who may be given this notice: at least everyone who may have been given the record. tlp is RED,
# AMBER+STRICT, AMBER, GREEN or CLEAR.
handling:
  tlp:
  # releasableTo: [ca.aisi.example]

# The records that are withdrawn, by their whole ids.
references:
  - record:
    relation: withdraws
"""


def withdrawal_template() -> str:
    """Return the draft of a notice of withdrawal; it cannot be signed as it is."""
    return _WITHDRAWAL


def card_template() -> str:
    """Return the draft as YAML 1.2; its fields are empty, so it cannot be signed as it is."""
    models = SECTION_MODELS[Kind.MODEL_CARD].items()
    lines = (line for name, model in models for line in _section(name, model))
    return _HEAD + "".join(f"  # {line}\n" for line in lines) + _TAIL


def _section(name: str, annotation: Any) -> Iterator[str]:
    yield f"{name}:"
    yield from (f"  {line}" for line in _value(annotation))


def _value(annotation: Any) -> Iterator[str]:
    """Yield the lines of a model or of a list with one item; nothing for a plain value."""
    if get_origin(annotation) is tuple:
        for position, line in enumerate(_value(get_args(annotation)[0])):
            yield f"{'  ' if position else '- '}{line}"
    elif isinstance(annotation, type) and issubclass(annotation, Model):
        for name, field in annotation.model_fields.items():
            nested = [f"  {line}" for line in _value(field.annotation)]
            yield f"{field.alias or name}:" + ("" if nested else f"  # {_note(field)}")
            yield from nested


def _note(field: FieldInfo) -> str:
    kinds = (field.annotation, *get_args(field.annotation))
    choices = [str(c) for k in kinds if isinstance(k, type) and issubclass(k, Enum) for c in k]
    notes = [
        field.description or "",
        "A list." if get_origin(field.annotation) is tuple else "",
        f"One of {', '.join(choices)}." if choices else "",
        "Required." if field.is_required() else "",
    ]
    return " ".join(note for note in notes if note)
